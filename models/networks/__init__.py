"""The four networks of a site: what they are made of and how power, heat, cold and gas flow through them."""
