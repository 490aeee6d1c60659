"""The room "Runs": folders that commands wrote, live; and trainings that are taken further from there."""
