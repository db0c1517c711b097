import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Threads

@Suite("Waking a thread", .inLanes)
struct WakeupTests {
    @Test("a signal before the wait ends it, many end one, and without one the time does")
    func signals() throws {
        let wakeup = Wakeup()
        for _ in 0..<100_000 { wakeup.signal() }
        wakeup.wait(atMost: .seconds(3600))
        let start = ContinuousClock.now
        wakeup.wait(atMost: .milliseconds(30))
        #expect(ContinuousClock.now - start >= .milliseconds(30))
        wakeup.wait(atMost: .seconds(-1))

        try OwnThread("waker") {
            usleep(20_000)
            wakeup.signal()
        }
        wakeup.wait(atMost: .seconds(3600))
    }
}

@Suite("A thread of our own", .inLanes)
struct OwnThreadTests {
    @Test("has its name for the kernel, and is waited for until its body has returned")
    func joined() throws {
        let mayEnd = DispatchSemaphore(value: 0)
        let name = Mutex("")
        let thread = try OwnThread("a name") {
            let comm = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
            name.withLock { $0 = comm ?? "" }
            mayEnd.wait()
        }
        #expect(!thread.join(atMost: .milliseconds(20)))
        mayEnd.signal()
        thread.join()
        #expect(thread.join(atMost: .zero))
        #expect(name.withLock { $0 } == "a name\n")
    }

    @Test("that the system does not give is an error, and nobody waits for it")
    func refused() async throws {
        let isRun = Atomic(false)
        // No machine has so much room for a stack.
        #expect(throws: ThreadError.self) {
            try OwnThread("refused", stackBytes: 1 << 62) { isRun.store(true, ordering: .relaxed) }
        }
        let wasRun = isRun.load(ordering: .relaxed)
        #expect(!wasRun)
        let error = ThreadError.cannotStart(name: "refused", errno: EAGAIN)
        #expect(error.systemExit == .system && "\(error)".contains("'refused'"))
    }

    @Test("gives back what a body found, or why it found nothing")
    func values() async throws {
        struct Nothing: Error {}
        #expect(try await onOwnThread { 5 } == 5)
        await #expect(throws: Nothing.self) { try await onOwnThread { throw Nothing() } }
    }
}
