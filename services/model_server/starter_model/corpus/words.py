"""Words: a plain lexicon, and made-up words, so that copying has to be learnt."""

from random import Random

from services.model_server.starter_model.corpus.holdout import is_held

PLAIN = """apple river stone cloud table garden window paper silver winter morning candle bridge forest
pencil button ladder pocket rabbit kettle basket feather hammer island jacket kitten lantern meadow
needle orange pepper quilt ribbon saddle tunnel umbrella violet wagon yellow zebra anchor barrel
copper dragon engine falcon glove harbor insect jungle kernel lemon magnet napkin oyster parrot
rocket sailor temple turtle valley walnut yogurt bell boat cake coin desk door duck farm fish flag
frog game gate gold hand hill home horn lake lamp leaf lion moon nest note park pear pond rain ring
road roof rope rose salt sand seed ship shoe snow soap sock star sun tent tool town tree vase wall
wind wolf wood yard level radar noon civic kayak madam stats refer rotor big cat dog red hot cup map
pen box key net oak owl pie tea toy van web zoo the a in of and to my on is was blue green old new
slow fast small long dry warm cold dark light quiet loud sharp sweet empty full early late plain
brave calm eager fancy gentle happy jolly kind lively proud silly wise busy clean fresh""".split()

NAMES = """Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Karla Leo Mia Nils Olga Paul Rosa Sam
Tina Uwe Vera Willi Xenia Yara Zoe Amir Bianca Carlos Dana Elif Farid Gina Hana Ivan Jana Kofi Lena
Marco Nadia Omar Petra Quinn Rita Sven Tara Viktor Wanda Yusuf Zara""".split()

ONSETS = "b c d f g h j k l m n p r s t v w z br cl cr dr fl gr kr pl pr sk sl sn sp st tr th sh ch qu".split()
NUCLEI = "a e i o u a e i o u ai ee oa ou ia".split()
CODAS = " n r l s t k m x p d nd rt lk st sh ng".split(" ")


def syllable(rng: Random) -> str:
    """Return one made-up syllable."""
    return rng.choice(ONSETS) + rng.choice(NUCLEI) + rng.choice(CODAS)


def coin(rng: Random, held: bool, syllables: int | None = None) -> str:
    """Make a word up that lies on the wanted side of the hold-out."""
    for _ in range(200):
        word = "".join(syllable(rng) for _ in range(syllables or rng.choice((1, 2, 2, 3))))
        if is_held(word) == held and len(word) > 2:
            return word
    raise ValueError("no made-up word found on that side")


def common(rng: Random, held: bool) -> str:
    """Return a plain word, now and then a made-up one."""
    if rng.random() < 0.25:
        return coin(rng, held)
    for _ in range(200):
        word = rng.choice(PLAIN)
        if is_held(word) == held:
            return word
    raise ValueError("no plain word found on that side")
