"""Data, fitting, export and evaluation of the network; torch lives here."""
