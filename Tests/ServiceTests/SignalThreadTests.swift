import Foundation
import Testing

@testable import Service

@Suite("Signals", .serialized)
struct SignalThreadTests {
    @Test("SIGTERM ends the process in time also where whoever is told of it waits for ever")
    func blocked() async {
        await #expect(processExitsWith: .exitCode(0)) {
            try SignalThread.start { _ in while true { sleep(3600) } }
            kill(getpid(), SIGTERM)
            sleep(3600)
        }
    }

    @Test("SIGHUP that nobody gets through with does not keep SIGTERM waiting")
    func blockedReload() async {
        await #expect(processExitsWith: .exitCode(0)) {
            try SignalThread.start { if $0 == .reload { while true { sleep(3600) } } }
            kill(getpid(), SIGHUP)
            usleep(200_000)
            kill(getpid(), SIGTERM)
            sleep(3600)
        }
    }

    @Test("an end that no signal asked for comes in time too, with its code")
    func failed() async {
        await #expect(processExitsWith: .exitCode(74)) {
            SignalThread.endSoon(74) { sleep(3600) }
            sleep(3600)
        }
    }
}
