"""Tables larger than memory, as blocks of rows: where they lie, how they are read, and how cells become features."""
