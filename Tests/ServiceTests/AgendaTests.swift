import Products
import Reconciling
import TestSupport
import Testing
import Watching

@testable import Service

@Suite("What the work loop does next")
struct AgendaTests {
    private let start = ContinuousClock.now

    private func agenda(followsLinks: Bool = false) -> Agenda {
        var change = ChangePace(percent: 50, at: start)
        change.noteEnd()
        return Agenda(followsLinks: followsLinks, change: change)
    }

    private func inbox() -> Mailbox.Inbox {
        Mailbox.Inbox(
            queue: LookQueue(.init(settle: .milliseconds(50), settleLimit: .seconds(2))) {
                ProductID($0.name)
            })
    }

    private func paths(_ count: Int) -> [ImagePath] { (0..<count).map { ImagePath("\($0).jpg")! } }

    /// A round that left photos.
    private func round(
        left: [ImagePath] = [], heldBack: Int = 0, isPublished: Bool = true, awaitsWhole: Bool = false
    ) -> Round {
        var round = Round()
        (round.left, round.isPublished, round.awaitsWhole) = (left, isPublished, awaitsWhole)
        round.report.heldBack = heldBack
        return round
    }

    private func name(_ turn: Agenda.Turn?) -> String {
        switch turn {
        case nil: "nothing"
        case .everything(_, let requests): "everything for \(requests.count)"
        case .places(let batch): "\(batch.places.count) places"
        case .backlog(let places): "\(places.count) of the backlog"
        case .publish: "publish"
        case .prepareChange: "change"
        }
    }

    @Test("requests come first, then changes, the backlog, publishing, and a change of model last")
    func order() {
        var (agenda, inbox) = (agenda(), inbox())
        agenda.change.tryNow(at: start)
        agenda.note(round(left: paths(3), isPublished: false), isWhole: true)
        inbox.queue.note(.photo(paths(1)[0], .finished), at: start)
        inbox.requests = [ReconcileRequest(allowsMassRemoval: false) { _ in }]
        func next() -> String { name(agenda.next(&inbox, AttributesLook(), at: start + .seconds(1))) }
        // Whoever compares everything takes what waits with it.
        #expect(next() == "everything for 1")
        inbox.queue.note(.photo(paths(1)[0], .finished), at: start)
        #expect(["1 places", "3 of the backlog"].allSatisfy { $0 == next() })
        #expect(next() == "publish")
        agenda.note(round(), isWhole: false)
        #expect(["change", "change"].allSatisfy { $0 == next() })
        agenda.change.noteEnd()
        #expect(next() == "nothing" && agenda.isDone)
    }

    @Test("in trouble nothing is tried but by time, on request, or for another table; then all is")
    func trouble() {
        var (agenda, inbox) = (agenda(), inbox())
        inbox.trouble.note(failureAt: start)
        inbox.queue.note(.photo(paths(1)[0], .finished), at: start)
        func next(_ time: Duration, _ table: AttributesLook = AttributesLook()) -> String {
            name(agenda.next(&inbox, table, at: start + time))
        }
        #expect(next(.milliseconds(500)) == "nothing")
        #expect(agenda.nextWake(inbox, at: start) == start + Trouble.firstBackOff)
        #expect(next(.milliseconds(500), AttributesLook(state: .due(nil))) == "everything for 0")
        #expect(next(Trouble.firstBackOff) == "everything for 0")
        inbox.trouble.noteReturn()
        #expect(next(.milliseconds(600)) == "everything for 0")
    }

    @Test("while products are held back, or links are followed, any change has everything compared")
    func everything() {
        for followsLinks in [true, false] {
            var (agenda, inbox) = (agenda(followsLinks: followsLinks), inbox())
            if !followsLinks { agenda.note(round(heldBack: 3), isWhole: true) }
            inbox.queue.note(.photo(paths(1)[0], .finished), at: start)
            #expect(
                name(agenda.next(&inbox, AttributesLook(), at: start + .seconds(1))) == "everything for 0")
            // That nothing is held back any more, only a look at everything tells.
            agenda.note(round(), isWhole: false)
            #expect(agenda.heldBack == (followsLinks ? 0 : 3))
            agenda.note(round(), isWhole: true)
            #expect(agenda.heldBack == 0)
        }
    }

    @Test(
        "nothing is published before a comparison that is owed, and that waits until nothing changes any more"
    )
    func owed() {
        var (agenda, inbox) = (agenda(), inbox())
        agenda.note(round(isPublished: false, awaitsWhole: true), isWhole: true)
        inbox.queue.note(.photo(paths(1)[0], .finished), at: start)
        func next(_ time: Duration) -> String {
            name(agenda.next(&inbox, AttributesLook(), at: start + time))
        }
        #expect(next(.zero) == "nothing" && agenda.owesComparison && !agenda.isDone)
        #expect(next(.seconds(1)) == "1 places")
        #expect(next(.seconds(1)) == "everything for 0")
        agenda.note(round(), isWhole: true)
        #expect(agenda.isDone)
    }

    @Test(
        "every photo of a backlog is taken once, in its order, those that a turn leaves first",
        arguments: [1, 2, 3])
    func backlog(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var (agenda, inbox) = (agenda(), inbox())
        let all = paths(10_000)
        agenda.note(round(left: all, isPublished: false), isWhole: true)
        var done: [ImagePath] = []
        while agenda.backlogCount > 0 {
            guard case .backlog(let places)? = agenda.next(&inbox, AttributesLook(), at: start) else {
                Issue.record("seed \(seed): no backlog though \(agenda.backlogCount) wait")
                return
            }
            let taken = Int.random(in: 1...places.count, using: &random)
            done += places[..<taken]
            agenda.note(round(left: Array(places[taken...]), isPublished: false), isWhole: false)
            #expect(agenda.backlogCount + done.count == all.count, "seed \(seed)")
        }
        #expect(done == all, "seed \(seed)")
        #expect(name(agenda.next(&inbox, AttributesLook(), at: start)) == "publish")
    }

    @Test("it wakes for whatever may be due first")
    func wake() {
        var (agenda, inbox) = (agenda(), inbox())
        #expect(agenda.nextWake(inbox, at: start) == start + .seconds(3600))
        agenda.change.noteFailure(at: start)
        #expect(agenda.nextWake(inbox, at: start) == start + .seconds(1))
        inbox.queue.note(.photo(paths(1)[0], .finished), at: start)
        #expect(agenda.nextWake(inbox, at: start) == start + .milliseconds(50))
    }

    @Test("publishing takes no more than a fifth of the time while photos wait")
    func pacing() {
        var pacer = PublishPacer(at: start)
        #expect(!pacer.mayWait(at: start))
        pacer.note(publishedFrom: start, to: start + .seconds(1), hasChangedFiles: true)
        #expect(pacer.mayWait(at: start + .milliseconds(4900)))
        #expect(!pacer.mayWait(at: start + .milliseconds(5000)))
        // What changed nothing says nothing of the cost; and no wait grows without end.
        pacer.note(publishedFrom: start, to: start + .seconds(10), hasChangedFiles: false)
        #expect(!pacer.mayWait(at: start + .seconds(14)))
        pacer.note(publishedFrom: start, to: start + .seconds(100), hasChangedFiles: true)
        #expect(!pacer.mayWait(at: start + .seconds(140)))
    }

    @Test("how things stand is said with what matters most")
    func phases() {
        var agenda = agenda()
        func phase(_ inTrouble: Bool = false, _ folder: Bool = true, _ table: Bool = false)
            -> ServiceMonitor.Phase
        {
            agenda.phase(isInTrouble: inTrouble, isFolderThere: folder, areAttributesInTrouble: table)
        }
        #expect(phase() == .idle && phase(false, true, true) == .trouble)
        #expect(phase(true) == .trouble && phase(true, false) == .waitingForFolder)
        agenda.note(round(heldBack: 1), isWhole: true)
        #expect(phase() == .heldBack)
        agenda.notePublishingDue()
        #expect(phase() == .working && phase(false, true, true) == .working)
    }
}

@Suite("The work loop's mailbox")
struct MailboxTests {
    private func mailbox(finished: Set<ImagePath> = []) -> Mailbox {
        let queue = LookQueue(.init(settle: .milliseconds(50), settleLimit: .seconds(2))) {
            ProductID($0.name)
        }
        return Mailbox(queue, finished: finished, now: clock.now)
    }

    private let clock = ManualClock()
    private let path = ImagePath("a.jpg")!

    @Test("what was asked for before it is closed is kept for who comes after; after that nothing is taken")
    func closing() {
        let mailbox = mailbox()
        let request = ReconcileRequest(allowsMassRemoval: false) { _ in }
        #expect(mailbox.ask(request))
        mailbox.stop()
        // A loop that is to stop chooses nothing.
        #expect(mailbox.choose { _ in (1, .now) } == nil)
        mailbox.close(leaving: [ReconcileRequest(allowsMassRemoval: true) { _ in }], nil)
        #expect(!mailbox.ask(request))
        #expect(mailbox.takeRequests().map(\.allowsMassRemoval) == [true, false])
        #expect(mailbox.takeRequests().isEmpty)
    }

    @Test(
        "a photo that was written is taken for whole until a round has looked at it, however often that fails"
    )
    func finished() {
        let mailbox = mailbox()
        #expect(mailbox.deferral([path], at: .now).finished == [path])
        mailbox.noteTrouble(at: .now)
        #expect(mailbox.deferral([], at: .now).finished == [path])
        var round = Round()
        round.left = [path]
        mailbox.note(round, looked: [path], at: .now)
        #expect(mailbox.deferral([], at: .now).finished == [path])
        mailbox.note(Round(), looked: [path], at: .now)
        #expect(mailbox.deferral([], at: .now).finished.isEmpty)
        // And the next loop hears of it.
        #expect(self.mailbox(finished: [path]).takeFinished() == [path])
    }

    @Test("a hint ends the wait where it is due before the loop would wake, and only then")
    func waking() {
        let mailbox = mailbox()
        let wake = clock.now() + .seconds(3600)
        _ = mailbox.choose { _ in (nil as Int?, wake) }
        mailbox.note(.photo(path, .finished))
        let start = ContinuousClock.now
        mailbox.wait(until: wake)
        #expect(ContinuousClock.now - start < .seconds(1800))
        #expect(mailbox.settling == 1)
        // One that comes in time for it does not.
        _ = mailbox.choose { _ in (nil as Int?, clock.now()) }
        mailbox.note(.photo(path, .finished))
        let second = ContinuousClock.now
        mailbox.wait(until: clock.now() + .milliseconds(30))
        #expect(ContinuousClock.now - second >= .milliseconds(30) && !mailbox.hasDue)
        clock.advance(by: .milliseconds(50))
        #expect(mailbox.hasDue)
    }
}
