from concurrent.futures import ThreadPoolExecutor

from napari_swin_litemedsam.features import FeatureCache


def test_what_was_used_least_lately_is_dropped_first():
    cache = FeatureCache(30)
    for key in "abc":
        cache.put(key, key.upper(), 10)
    assert cache.get("a") == "A"
    cache.put("d", "D", 10)
    assert [key in cache for key in "abcd"] == [True, False, True, True]
    assert cache.get("b") is None


def test_the_budget_counts_bytes():
    cache = FeatureCache(100)
    cache.put("small", 1, 40)
    cache.put("large", 2, 90)
    assert "small" not in cache
    assert cache.nbytes == 90
    cache.put("large", 3, 50)
    assert (cache.get("large"), cache.nbytes) == (3, 50)
    cache.put("too large", 4, 101)
    assert "too large" not in cache


def test_threads_share_it():
    cache = FeatureCache(50)

    def work(number):
        for i in range(300):
            cache.put((number + i) % 20, i, 5)
            cache.get(i % 20)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(cache) == 10
    assert cache.nbytes == 50
