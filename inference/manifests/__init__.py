"""What an artifact says of itself: manifest, input schema, tables, tokenizer, and their strict readers."""
