import Testing

@testable import Reconciling

@Suite("Trying again")
struct RetryScheduleTests {
    @Test("the pauses double, and a few of them fill a minute")
    func delays() {
        let delays = (1...5).map { RetrySchedule.delay(after: $0) }
        #expect(delays == [2, 4, 8, 16, 32].map { .seconds($0) })
        #expect(delays.reduce(.zero, +) > RetrySchedule.young)
        #expect(RetrySchedule.delay(after: 1000) == .seconds(64))
    }
}
