import Foundation
import TestSupport
import Testing

/// A debug build can be refused its n-th thread, once, as by a system that has reached its limit for a moment. Here that happens to
/// each thread that there is.
@Suite("Refused a thread", .inLanes, .underUsualKernelLimits)
struct RefusedThreadTests {
    private static func refusing(_ number: Int) -> [String] { ["env", "IMGREC_REFUSE_THREAD=\(number)"] }

    /// The thread that was refused; nil where none was.
    private static func refused(_ errors: String) -> String? {
        errors.firstMatch(of: /refused the thread (.*)/).map { String($0.1) }
    }

    private func report(_ threads: [String], _ what: String) {
        let counts = Dictionary(grouping: threads) { $0 }.mapValues(\.count).sorted { $0.key < $1.key }
        print(
            "\(what): refused each of \(threads.count) threads: \(counts.map { "\($0.value) \($0.key)" }.joined(separator: ", "))"
        )
        // A release build is refused none.
        #expect(threads.count > 3)
    }

    @Test("a command does without it, or says so and leaves all to the next run")
    func command() throws {
        var threads: [String] = []
        var clean: [String: Data]?
        while true {
            let shop = try Shop(perCategory: 1)
            let result = try shop.run("reconcile", under: Self.refusing(threads.count + 1))
            let refused = Self.refused(result.errors)
            if result.code != 0 {
                #expect(
                    result.code == EX_OSERR && result.errors.contains("'\(refused ?? "")' cannot be started"),
                    "\(result.errors)")
                #expect(try shop.run("reconcile").code == 0)
            }
            clean = try clean ?? shop.cleanRun()
            #expect(try shop.files() == clean, "thread \(threads.count + 1), \(refused ?? "none")")
            guard let refused else { break }
            threads.append(refused)
        }
        report(threads, "reconcile")
    }

    private static let hook = "[publish]\nhook = [\"/bin/true\"]\nsettle_ms = 10\n"
    private static let otherCount = "[recommendations]\ncount = 4\n"

    /// Has a running agent work with other settings, if need be with a second SIGHUP.
    private func changeSettings(of agent: RunningAgent) throws {
        try agent.shop.configure(Self.hook + Self.otherCount)
        for _ in 0..<2 where !agent.log.contains("are in force") {
            let before = agent.log.matches(of: /the settings were not changed/).count
            agent.signal(SIGHUP)
            #expect(
                eventually {
                    agent.log.contains("are in force")
                        || agent.log.matches(of: /the settings were not changed/).count > before
                }, "\(agent.log)")
        }
        #expect(agent.log.contains("are in force"), "\(agent.log)")
        #expect(eventually { (try? agent.wait().code) == 0 }, "\(agent.log)")
    }

    @Test("the agent does without it, tries again, or ends and says so, and SIGTERM ends it meanwhile")
    func agent() throws {
        var threads: [String] = []
        var ended: [String] = []
        var clean: [String: Data]?
        while true {
            let number = threads.count + 1
            let shop = try Shop(perCategory: 1, extra: Self.hook)
            let running: RunningAgent?
            var log: String
            do {
                running = try RunningAgent(shop, under: Self.refusing(number))
                log = ""
            } catch let failure as Shop.Failure {
                (running, log) = (nil, failure.message)
            }
            if let running {
                // Whoever is refused an answer asks again.
                #expect(eventually { (try? running.wait().code) == 0 }, "thread \(number): \(running.log)")
                #expect(
                    eventually { (try? running.status().running?.state) == "idle" },
                    "thread \(number): \(running.log)")
                try changeSettings(of: running)
                #expect(running.stop() == 0, "thread \(number): \(running.log)")
                log = running.log
            }
            let refused = Self.refused(log)
            if running == nil {
                #expect(log.contains("'\(refused ?? "")' cannot be started"), "\(log)")
                ended.append(refused ?? "?")
                try shop.configure(Self.otherCount)
                #expect(try shop.run("reconcile").code == 0)
            }
            clean = try clean ?? shop.cleanRun(extra: Self.otherCount)
            #expect(try shop.files() == clean, "thread \(number), \(refused ?? "none")")
            guard let refused else { break }
            threads.append(refused)
        }
        report(threads, "run")
        print("run ended for want of \(ended.joined(separator: ", "))")
    }
}
