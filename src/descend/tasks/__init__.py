"""What `descend fit` does with tables, images and texts: from what is read to what is predicted."""
