"""The excitation-inhibition balance article: figures and checked claims."""
