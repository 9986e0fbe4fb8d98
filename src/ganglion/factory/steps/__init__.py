"""One module per step of making a model version. Vendor libraries are used here."""
