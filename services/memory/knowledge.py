"""What searches have learnt of a store, all of it numbered by one lexicon."""

from services.memory.frequencies import FrequencyTables
from services.memory.lexicon import Lexicon
from services.memory.small_namespaces import SmallNamespaces
from services.memory.store import Store
from services.memory.turns import Analysis


class Knowledge:
    """A lexicon and what was analysed with it; given up and begun anew together."""

    def __init__(self, store: Store) -> None:
        self.lexicon = Lexicon()
        self.analysis = Analysis(self.lexicon)
        self.tables = FrequencyTables(store, self.lexicon)
        self.small = SmallNamespaces(store, self.analysis, self.tables, self.lexicon)

    def close(self) -> None:
        """Gives up what is being read."""
        self.small.close()
