import Testing

@testable import Control

@Suite("Progress in words")
struct ProgressTextTests {
    @Test(
        "says how far it is, how fast, and how long the rest takes",
        arguments: [
            (812, 10400, 0, 812.0 / 170, "embedded 812 of 10400, 170/s, about 57 s left"),
            (10, 100, 10, 5.0, "embedded 10 of 100"),
            (100, 100, 0, 5.0, "embedded 100 of 100"),
            (5, 100, 0, 0.2, "embedded 5 of 100"),
            (100, 100_000, 0, 10.0, "embedded 100 of 100000, 10/s, about 2 h 46 min left"),
            // What an earlier turn did does not make this one faster.
            (600, 1000, 500, 10.0, "embedded 600 of 1000, 10/s, about 40 s left"),
            (0, 0, 0, 1.0, "embedded"),
        ])
    func text(done: Int, total: Int, first: Int, seconds: Double, expected: String) {
        #expect(
            ProgressText.text("embedded", done: done, total: total, since: first, seconds: seconds)
                == expected)
    }
}
