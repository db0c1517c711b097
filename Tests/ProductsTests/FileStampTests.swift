import Products
import Testing

@Suite("A version of a file")
struct FileStampTests {
    private static let now = 1_800_000_000_000_000_000

    private func isYoung(secondsOld: Int) -> Bool {
        FileStamp(bytes: 1, mtimeNanoseconds: Self.now - secondsOld * 1_000_000_000)
            .isYoung(within: .seconds(60), at: Self.now)
    }

    @Test("is young until it is so old; a clock may be ahead of ours by as much")
    func young() {
        #expect(isYoung(secondsOld: 0) && isYoung(secondsOld: 59) && isYoung(secondsOld: -59))
        #expect(!isYoung(secondsOld: 60) && !isYoung(secondsOld: -60) && !isYoung(secondsOld: 3600))
    }

    @Test("of another century is not young", arguments: [Int.min, Int.min + 1, -1, 0, Int.max - 1, Int.max])
    func centuries(mtime: Int) {
        #expect(!FileStamp(bytes: 1, mtimeNanoseconds: mtime).isYoung(within: .seconds(60)))
    }
}

@Suite("What an error says")
struct ExplainedErrorTests {
    private struct Foreseen: ExplainedError {
        let remedy: String?
        var explanation: Explanation { .init("a is b", remedy: remedy, .dataError) }
    }

    @Test("is a sentence and what to do")
    func text() {
        #expect("\(Foreseen(remedy: nil))" == "a is b")
        #expect("\(Foreseen(remedy: "Do c."))" == "a is b. Do c.")
        #expect(Foreseen(remedy: nil).explained.systemExit == .dataError)
    }

    @Test("an error that nobody foresaw is a fault of the program, and is told whole")
    func unforeseen() {
        struct Surprise: Error { let value = 7 }
        let error = Surprise().explained
        #expect(error.systemExit == .software)
        #expect(error.description.contains("Surprise(value: 7)"))
    }
}
