import Foundation
import TestSupport
import Testing

@testable import Agent

@Suite("Waking a thread", .inLanes)
struct WakeupTests {
    @Test("a signal before the wait ends it, many end one, and without one the time does")
    func signals() {
        let wakeup = Wakeup()
        for _ in 0..<100_000 { wakeup.signal() }
        wakeup.wait(atMost: .seconds(3600))
        let start = ContinuousClock.now
        wakeup.wait(atMost: .milliseconds(30))
        #expect(ContinuousClock.now - start >= .milliseconds(30))
        wakeup.wait(atMost: .seconds(-1))

        Thread.detachNewThread {
            usleep(20_000)
            wakeup.signal()
        }
        wakeup.wait(atMost: .seconds(3600))
    }
}
