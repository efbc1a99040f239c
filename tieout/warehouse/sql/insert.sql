-- All incoming rows, matched by column name; columns of the table that the frame lacks become null.
INSERT INTO {{table}} BY NAME SELECT * FROM {{incoming}}
