"""Sec. 2.2: the protein kinetics reduce to the calcium rules where calcium is far below K_M and turnover is slow."""
