"""Reading documents: one file for each family of formats. Their functions run in a worker process only, which is where
the libraries behind them are imported.
"""
