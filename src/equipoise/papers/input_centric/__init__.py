"""Input-centric homeostasis of inhibition-stabilised circuits: the derivation, its rules, and what they explain."""
