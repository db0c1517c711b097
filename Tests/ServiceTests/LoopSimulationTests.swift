import Products
import Reconciling
import TestSupport
import Testing
import Watching

@testable import Service

/// The mailbox and what chooses from it, driven as the loop drives them, over a folder and a clock that are made up.
@Suite("What the work loop is asked for")
struct LoopSimulationTests {
    private static let timing = LookQueue.Timing(settle: .milliseconds(50), settleLimit: .seconds(2))
    private static let longestTurn = Duration.milliseconds(500)

    private final class Simulation {
        let clock = ManualClock()
        let mailbox: Mailbox
        var agenda: Agenda
        var random: SeededRandom
        /// How often each photo was changed, and how often it had been when it was looked at last.
        var changed: [ImagePath: Int] = [:]
        var seen: [ImagePath: Int] = [:]
        /// Since when a change has waited for a look at it.
        var waiting: [ImagePath: ContinuousClock.Instant] = [:]
        var (asked, answered) = (0, 0)
        var turns = 0
        /// Whether something was looked at that is not published.
        var owes = false
        var mayFail: Bool
        let paths = (0..<12).map { ImagePath("\($0).jpg")! }

        init(seed: UInt64, mayFail: Bool) {
            random = SeededRandom(seed: seed)
            self.mayFail = mayFail
            let queue = LookQueue(timing) { ProductID($0.name) }
            mailbox = Mailbox(queue, finished: [], now: clock.now)
            var change = ChangePace(percent: 50, at: clock.now())
            change.noteEnd()
            agenda = Agenda(followsLinks: false, change: change)
        }

        /// Something changes in the folder, or somebody asks.
        func happen() {
            let path = paths.randomElement(using: &random)!
            switch Int.random(in: 0..<12, using: &random) {
            case 0:
                asked += 1
                _ = mailbox.ask(ReconcileRequest(allowsMassRemoval: false) { _ in })
            case 1:
                // Reports were lost, and with them that of a change.
                note(path)
                mailbox.note(.everything(.overflow))
            case 2:
                for path in paths.prefix(4) { note(path) }
                mailbox.note(.everything(.folderBack))
            default:
                note(path)
                let kinds: [FolderHint.PhotoChange] = [.finished, .touched, .gone]
                mailbox.note(.photo(path, kinds.randomElement(using: &random)!))
            }
        }

        private func note(_ path: ImagePath) {
            changed[path, default: 0] += 1
            if waiting[path] == nil { waiting[path] = clock.now() }
        }

        /// Chooses, and does what was chosen. Returns when the loop would wake by itself; nil where it did something.
        func step(whileWorking: () -> Void) throws -> ContinuousClock.Instant? {
            let now = clock.now()
            let chosen = try #require(
                mailbox.choose { inbox in
                    let turn = agenda.next(&inbox, AttributesLook(), at: now)
                    return (turn, agenda.nextWake(inbox, at: now))
                })
            guard let turn = chosen.choice else { return chosen.wake }
            turns += 1
            let (looked, requests): ([ImagePath]?, Int) =
                switch turn {
                case .everything(_, let requests): (nil, requests.count)
                case .places(let batch): (batch.places, 0)
                case .backlog(let places): (places, 0)
                case .publish: ([], 0)
                case .prepareChange: throw Unexpected()
                }
            if case .everything = turn { agenda.beginComparison() }
            _ = mailbox.deferral(turn.finished, at: now)
            // What is there when it is looked at.
            let found = changed
            clock.advance(by: Self.share(of: longestTurn, &random))
            whileWorking()
            answered += requests
            if mayFail, Int.random(in: 0..<4, using: &random) == 0 {
                agenda.notePublishingDue()
                mailbox.noteTrouble(at: clock.now())
                return nil
            }
            var places = looked ?? paths
            var round = Round()
            if Int.random(in: 0..<3, using: &random) == 0, places.count > 1 {
                round.left = Array(places.suffix(places.count / 2))
                places.removeLast(round.left.count)
            }
            round.isPublished = Bool.random(using: &random)
            owes = !round.isPublished
            for path in places {
                seen[path] = found[path]
                if seen[path] == changed[path] { waiting[path] = nil } else { waiting[path] = now }
            }
            agenda.note(round, isWhole: looked == nil)
            mailbox.note(round, looked: looked.map(Set.init), at: clock.now())
            return nil
        }

        private struct Unexpected: Error {}

        static func share(of longest: Duration, _ random: inout SeededRandom) -> Duration {
            longest * Double.random(in: 0...1, using: &random)
        }
    }

    @Test(
        "for any sequence of changes, requests and failures everything is looked at and published in the end, and all are answered",
        arguments: [false, true])
    func sequences(mayFail: Bool) throws {
        for seed in 0..<200 as Range<UInt64> {
            let simulation = Simulation(seed: seed, mayFail: mayFail)
            var left = 60
            var idle = 0
            while idle < 2 {
                let wake = try simulation.step {
                    if left > 0, Bool.random(using: &simulation.random) {
                        simulation.happen()
                        left -= 1
                    }
                }
                if !mayFail {
                    // Removals that go on have what follows them wait for their like, so twice.
                    let limit = Self.timing.settleLimit * 2 + Self.longestTurn * 4
                    for (path, since) in simulation.waiting where simulation.agenda.backlogCount == 0 {
                        #expect(simulation.clock.now() - since < limit, "seed \(seed): \(path) waits")
                    }
                }
                guard let wake else { continue }
                let now = simulation.clock.now()
                #expect(wake > now, "seed \(seed): it would not rest")
                if left > 0 {
                    // Something happens before it wakes, or it wakes.
                    let pause = Simulation.share(of: .milliseconds(800), &simulation.random)
                    simulation.clock.advance(by: min(pause, wake - now))
                    if now + pause < wake {
                        simulation.happen()
                        left -= 1
                    }
                } else {
                    simulation.mayFail = false
                    simulation.clock.advance(by: wake - now)
                    idle = wake - now >= .seconds(3600) ? idle + 1 : 0
                }
            }
            #expect(simulation.seen == simulation.changed, "seed \(seed)")
            #expect(simulation.answered == simulation.asked, "seed \(seed)")
            #expect(
                simulation.agenda.isDone && !simulation.owes && !simulation.mailbox.isInTrouble,
                "seed \(seed)")
            #expect(simulation.mailbox.takeFinished().isEmpty, "seed \(seed)")
            #expect(simulation.turns < 400, "seed \(seed): \(simulation.turns) turns for 60 events")
        }
    }
}

@Suite("The pace of a change of model")
struct ChangePaceTests {
    private let start = ContinuousClock.now

    @Test("steps take their share of the time and no more", arguments: [1, 25, 50, 100])
    func share(percent: Int) throws {
        var random = SeededRandom(seed: UInt64(percent))
        var pace = ChangePace(percent: percent, at: start)
        var (now, worked) = (start, Duration.zero)
        for _ in 0..<100 {
            #expect(pace.isDue(at: now))
            let step = Duration.milliseconds(Int.random(in: 1...2000, using: &random))
            worked += step
            pace.note(embedded: 1, stepFrom: now, to: now + step)
            let next = try #require(pace.next)
            #expect(next >= now + step && !pace.isDue(at: next - .nanoseconds(1)))
            now = next
        }
        let used = worked / (now - start)
        #expect(abs(used - Double(percent) / 100) < 0.001)
    }

    @Test("failures are followed by longer and longer pauses, up to ten minutes, until a photo is embedded")
    func failures() {
        var pace = ChangePace(percent: 50, at: start)
        let pauses = (0..<15).map { _ in
            pace.noteFailure(at: start)
            return (pace.next! - start).seconds
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600, 600, 600])
        // A step that embedded none says nothing of what is in the way.
        pace.note(embedded: 0, stepFrom: start, to: start)
        pace.noteFailure(at: start)
        #expect(pace.next == start + .seconds(600))
        pace.note(embedded: 1, stepFrom: start, to: start)
        pace.noteFailure(at: start)
        #expect(pace.next == start + .seconds(1))
    }

    @Test("at the end nothing is due until somebody wants it tried")
    func end() {
        var pace = ChangePace(percent: 50, at: start)
        pace.noteEnd()
        #expect(pace.next == nil && !pace.isDue(at: start + .seconds(100_000)))
        pace.tryNow(at: start)
        #expect(pace.isDue(at: start))
    }
}
