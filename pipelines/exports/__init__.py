"""Plain files and one SQLite file for people who do not run our code, all made from the catalogue."""
