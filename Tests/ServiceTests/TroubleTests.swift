import Testing

@testable import Service

@Suite("Trouble")
struct TroubleTests {
    private let start = ContinuousClock.now

    @Test("is tried again ever later, up to a minute")
    func backOff() {
        var (trouble, now) = (Trouble(), start)
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            trouble.begin()
            trouble.note(failureAt: now)
            #expect(trouble.retryAt == now + .seconds(seconds))
            #expect(!trouble.isDue(at: now + .milliseconds(seconds * 1000 - 1)))
            now += .seconds(seconds)
            #expect(trouble.isDue(at: now))
        }
        trouble.noteSuccess()
        #expect(trouble.retryAt == nil)
        trouble.note(failureAt: now)
        #expect(trouble.retryAt == now + .seconds(1))
    }

    @Test("a folder that comes back during a try that fails is looked at at once")
    func folderBack() {
        var trouble = Trouble()
        for _ in 0..<8 { trouble.note(failureAt: start) }
        trouble.begin()
        trouble.noteReturn()
        trouble.note(failureAt: start)
        #expect(trouble.isDue(at: start))
        // Once.
        trouble.begin()
        trouble.note(failureAt: start)
        #expect(!trouble.isDue(at: start))
    }
}
