"""Which of several trained models is kept: what each lost on rows that it had not seen, and blends of them."""
