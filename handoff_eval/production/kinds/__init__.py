"""The kinds of trigger that a bundle can hold, one module each; `table` lists them."""
