-- What tasks cost that are gone, by the day of their ends. What was forgotten before is known by its month alone.
ALTER TABLE total RENAME COLUMN month TO day;
