"""Files out: reports, plots and tables of a campaign, from its ledger."""
