"""The hall: translates between planners and instruments, keeps the ledger."""
