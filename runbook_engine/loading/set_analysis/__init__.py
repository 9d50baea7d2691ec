"""What lint knows of a whole set of runbooks: each kind of defect is a module that only reports what is proven."""
