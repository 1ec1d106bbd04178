"""English words that say nothing of a topic: articles, pronouns, auxiliaries, prepositions."""

_WORDS = """
a an the this that these those some any each such same other own
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his
himself she her hers herself it its itself they them their theirs themselves one
am is are was were be been being have has had having do does did doing done can could may might
must shall should will would get got
and or but nor if then than so as because while until since though although
at by for from in into of off on onto out over to up upon with without about above below between
through during before after against again under down
what which who whom whose when where why how
here there now just only very too also more most few both all not no yes
s t d ll m re ve don doesn didn isn aren wasn weren won wouldn couldn shouldn hasn haven hadn
"""

STOP_WORDS = frozenset(_WORDS.split())
