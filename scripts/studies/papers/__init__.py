"""Tables and figures of the papers as data: one YAML file each, and the pages that are generated from them."""
