import TestSupport
import Testing

@testable import Hooking

@Suite("When the hook is run")
struct HookScheduleTests {
    private let start = ContinuousClock.now
    private static let times = HookSchedule.Times(
        settle: .seconds(2), settleLimit: .seconds(10), retry: .seconds(5), retryLimit: .seconds(30))

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private func schedule(changes: [Double]) -> HookSchedule {
        var schedule = HookSchedule(Self.times)
        for change in changes { schedule.noteChange(at: at(change)) }
        return schedule
    }

    @Test(
        "a while after the last change, and not long after the first",
        arguments: [([], nil), ([0], 2), ([0, 1, 2.5], 4.5), (Array(stride(from: 0, to: 30, by: 1)), 10)]
            as [([Double], Double?)])
    func debounce(changes: [Double], due: Double?) {
        #expect(schedule(changes: changes).due == due.map { at($0) })
    }

    @Test("while it runs nothing is due; what changes meanwhile is told after its end")
    func running() {
        var schedule = schedule(changes: [0])
        schedule.begin()
        schedule.noteChange(at: at(5))
        #expect(schedule.due == nil)
        schedule.end(isSuccess: true, at: at(20))
        #expect(schedule.due == at(7))
    }

    @Test("after success nothing is due until something changes")
    func success() {
        var schedule = schedule(changes: [0])
        schedule.begin()
        schedule.end(isSuccess: true, at: at(3))
        #expect(schedule.due == nil)
    }

    @Test(
        "failures in a row are followed by longer and longer waits, up to the limit, and changes do not shorten them"
    )
    func failures() {
        var schedule = schedule(changes: [0])
        var now = 2.0
        for wait in [5.0, 10, 20, 30, 30] {
            schedule.begin()
            schedule.end(isSuccess: false, at: at(now))
            schedule.noteChange(at: at(now + 0.5))
            #expect(schedule.due == at(now + wait))
            now += wait
        }
        #expect(schedule.failures == 5)
        schedule.begin()
        schedule.end(isSuccess: true, at: at(now))
        schedule.noteChange(at: at(now))
        #expect(schedule.due == at(now + 2) && schedule.failures == 0)
    }

    @Test("one that could not be begun is due when it is to be tried again, and does not settle once more")
    func postponed() {
        var schedule = schedule(changes: [0])
        schedule.begin()
        schedule.postpone(until: at(3))
        #expect(schedule.due == at(3) && schedule.failures == 0)
        schedule.begin()
        // What changes meanwhile settles, at the latest when the first has waited for long.
        schedule.noteChange(at: at(3.5))
        schedule.postpone(until: at(4))
        #expect(schedule.due == at(5.5))
        for time in stride(from: 5.0, to: 15, by: 1) { schedule.noteChange(at: at(time)) }
        #expect(schedule.due == at(10))
    }

    @Test(
        "whatever happens, something to tell stays due, and never before its time", arguments: [1, 2, 3, 4])
    func property(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var schedule = HookSchedule(Self.times)
        var (now, hasChanges, isRunning) = (0.0, false, false)
        var first: Double?
        for _ in 0..<500 {
            now += Double.random(in: 0...3, using: &random)
            if Bool.random(using: &random) {
                schedule.noteChange(at: at(now))
                hasChanges = true
                first = first ?? now
            }
            if isRunning {
                guard Bool.random(using: &random) else { continue }
                isRunning = false
                guard Bool.random(using: &random) else {
                    schedule.postpone(until: at(now + 1))
                    (hasChanges, first) = (true, first ?? now)
                    continue
                }
                let isSuccess = Bool.random(using: &random)
                schedule.end(isSuccess: isSuccess, at: at(now))
                if !isSuccess { (hasChanges, first) = (true, first ?? now) }
            }
            #expect((schedule.due != nil) == hasChanges)
            guard let due = schedule.due else { continue }
            // Never later than the longest that a change or a failure may wait.
            #expect(due <= at((first ?? now) + 10.001) || due <= at(now + 30.001))
            if due <= at(now) {
                schedule.begin()
                (isRunning, hasChanges, first) = (true, false, nil)
            }
        }
    }
}
