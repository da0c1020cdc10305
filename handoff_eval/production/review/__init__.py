"""A small local web page on which people without Python say whether an email was needed."""
