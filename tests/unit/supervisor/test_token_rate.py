from services.supervisor.token_rate import TokenRates


def test_the_rate_follows_what_the_server_counts():
    rates = TokenRates()
    assert rates.characters("m", 1000) == 2500
    for _ in range(40):
        rates.learn("m", 4000, 1000)
    assert 3990 <= rates.characters("m", 1000) <= 4000
    assert rates.characters("another", 1000) == 2500


def test_counts_that_cannot_be_are_passed_over():
    rates = TokenRates()
    for characters, tokens in ((4000, 0), (4000, 3), (10, 1000)):  # none, a cache's rest, nonsense
        rates.learn("m", characters, tokens)
    assert rates.characters("m", 1000) == 2500


def test_what_is_known_has_a_bound():
    rates = TokenRates()
    for number in range(1000):
        rates.learn(f"m{number}", 4000, 1000)
    assert rates.characters("m0", 1000) == 2500
    assert rates.characters("m999", 1000) == 2800
