"""Built-in cell models: one module each, imported only by its name, packed and given back."""
