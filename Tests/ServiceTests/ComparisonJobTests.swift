import Products
import Reconciling
import Synchronization
import TestSupport
import Testing

@testable import Service

@Suite("A comparison of everything")
struct ComparisonJobTests {
    /// Who asked, and what was said to them.
    private final class Asker: Sendable {
        private let events = Mutex<[ReconcileRequest.Event]>([])

        func request(allowsMassRemoval: Bool = false) -> ReconcileRequest {
            ReconcileRequest(allowsMassRemoval: allowsMassRemoval) { event in
                self.events.withLock { $0.append(event) }
            }
        }

        var answers: [ReconcileReport] {
            events.withLock { $0.compactMap { if case .done(let report) = $0 { report } else { nil } } }
        }
        var progress: [ReconcileProgress] {
            events.withLock {
                $0.compactMap { if case .progress(let progress) = $0 { progress } else { nil } }
            }
        }
    }

    private func paths(_ names: String...) -> Set<ImagePath> { Set(names.map { ImagePath($0)! }) }

    @Test("its report is the sum of its turns, and its progress never goes back")
    func turns() throws {
        let asker = Asker()
        let job = CurrentJob()
        job.begin([asker.request()], goesOn: false)
        var (left, seen) = (7, 0)
        while left > 0 {
            var round = Round()
            _ = job.tell(.embedding(done: 1, of: 2))
            (round.report.read, round.report.added) = (2, 2)
            left = max(0, left - 2)
            job.note(round, looked: seen == 0 ? nil : paths("a.jpg"), backlog: left)
            seen += 2
        }
        let progress = asker.progress.compactMap { progress -> (Int, Int)? in
            if case .embedding(let done, let total) = progress { (done, total) } else { nil }
        }
        #expect(progress.map(\.0) == [1, 3, 5, 7])
        #expect(zip(progress, progress.dropFirst()).allSatisfy { $0.0 <= $1.0 && $0.1 <= $1.1 })
        job.end(nil)
        #expect(asker.answers.map(\.added) == [8])
        job.end(nil)
        #expect(asker.answers.count == 1)
    }

    @Test("it is through when no photo of it is to be looked at once more")
    func awaited() {
        let job = CurrentJob()
        #expect(!job.isThrough)
        job.begin([], goesOn: false)
        var round = Round()
        round.deferred = paths("a.jpg", "b.jpg").map { ($0, nil) }
        job.note(round, looked: nil, backlog: 0)
        #expect(!job.isThrough)
        job.note(Round(), looked: paths("a.jpg"), backlog: 0)
        #expect(!job.isThrough)
        // Looked at, but there was no time to read it.
        round = Round()
        round.left = Array(paths("b.jpg"))
        job.note(round, looked: paths("b.jpg"), backlog: 1)
        #expect(!job.isThrough)
        job.note(Round(), looked: paths("b.jpg"), backlog: 0)
        #expect(job.isThrough)
    }

    @Test("one that begins anew answers those who waited for the one before, without its confirmation")
    func anew() {
        let (first, second) = (Asker(), Asker())
        let job = CurrentJob()
        job.begin([first.request(allowsMassRemoval: true)], goesOn: false)
        #expect(job.allowsMassRemoval)
        job.begin([second.request()], goesOn: false)
        #expect(!job.allowsMassRemoval && job.requests.count == 2)
        job.begin([], goesOn: true)
        job.end(nil)
        #expect(first.answers.count == 1 && second.answers.count == 1)
        #expect(job.requests.isEmpty)
    }
}
