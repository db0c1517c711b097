import Products
import TestSupport
import Testing
import Watching

@testable import Service

/// Times are in milliseconds since a beginning.
@Suite("The queue of what is to be looked at")
struct LookQueueTests {
    private let start = ContinuousClock.now

    private enum Step {
        case hint(Int, FolderHint)
        /// What is due at a time.
        case due(Int, [String])
    }

    private func photo(_ path: String, _ change: FolderHint.PhotoChange) -> FolderHint {
        .photo(ImagePath(path)!, change)
    }

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    /// Both photos of `a-1.jpg` and `a-2.jpg` are of the product `a`.
    private func queue() -> LookQueue {
        LookQueue(.init(settle: .milliseconds(50), settleLimit: .milliseconds(2000))) {
            ProductID(FileName(text: String($0.text.prefix { $0 != "-" && $0 != "." })))
        }
    }

    private func expect(
        _ steps: [Step], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var queue = queue()
        for step in steps {
            switch step {
            case .hint(let time, let change): queue.note(change, at: at(time))
            case .due(let time, let paths):
                let batch = queue.takeDue(at: at(time))
                #expect(
                    batch?.places.map(\.text) ?? [] == paths, "at \(time)", sourceLocation: sourceLocation)
            }
        }
    }

    @Test("a product is due when it has been left alone for the settle time")
    func settle() {
        expect([
            .hint(0, photo("a-1.jpg", .finished)), .due(49, []),
            .hint(49, photo("a-2.jpg", .finished)), .due(98, []), .due(99, ["a-1.jpg", "a-2.jpg"]),
            .due(5000, []),
        ])
    }

    @Test("removals that go on and on keep a photo that came waiting until the limit only")
    func removalsKeepWaiting() {
        var steps: [Step] = [.hint(0, photo("a.jpg", .finished))]
        steps += (1..<130).map { Step.hint($0 * 30, photo("x\($0).jpg", .gone)) }
        let index = steps.firstIndex { if case .hint(let time, _) = $0 { time > 1980 } else { false } }!
        expect(Array(steps[..<index]) + [.due(1999, []), .due(2000, ["a.jpg"])])
    }

    @Test("a product that is never left alone is due at the limit, and others are not kept waiting")
    func limit() {
        var steps = (0..<100).map { Step.hint($0 * 20, photo("a.jpg", .finished)) }
        steps.insert(.due(70, ["b.jpg"]), at: 4)
        steps.insert(.hint(20, photo("b.jpg", .finished)), at: 2)
        expect(steps + [.due(1999, []), .due(2000, ["a.jpg"]), .due(2000, [])])
    }

    @Test("while photos are being removed, all wait for each other, at most to the limit")
    func removals() {
        var steps: [Step] = []
        // A rename each 40 ms: one photo goes, another comes.
        for number in 0..<60 {
            steps.append(.hint(number * 40, photo("old\(number).jpg", .gone)))
            steps.append(.hint(number * 40, photo("new\(number).jpg", .finished)))
            if number == 48 { steps.append(.due(1960, [])) }
        }
        let first = 0..<49
        steps.insert(
            .due(
                2000,
                (first.map { "new\($0).jpg" } + first.map { "old\($0).jpg" }).sorted {
                    $0.utf8.lexicographicallyPrecedes($1.utf8)
                }), at: 2 * 50 + 1)
        // The rest waits for its own like.
        steps.append(.due(2409, []))
        let rest = (49..<60).flatMap { ["new\($0).jpg", "old\($0).jpg"] }
        expect(steps + [.due(2410, rest.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })])
    }

    @Test("a photo that was begun is not to be read until it is finished, or has not grown for ten seconds")
    func begun() {
        var queue = queue()
        let path = ImagePath("a.jpg")!
        func isUnfinished(_ time: Int) -> Bool {
            queue.deferral(finished: [], at: at(time)).unfinished.contains(path)
        }
        queue.note(photo("a.jpg", .begun), at: at(0))
        #expect(queue.takeDue(at: at(50))?.places == [path] && isUnfinished(9_999) && !isUnfinished(10_000))
        for time in stride(from: 2050, to: 30_000, by: 2000) {
            // It grows: each look finds another size.
            queue.postpone(
                [(path, FileStamp(bytes: time, mtimeNanoseconds: time))], at: at(time - 2000))
            #expect(queue.takeDue(at: at(time))?.places == [path])
            #expect(isUnfinished(time))
        }
        queue.note(photo("a.jpg", .finished), at: at(30_000))
        #expect(!isUnfinished(30_000))
        let batch = queue.takeDue(at: at(30_050))
        #expect(batch?.finished == [path])
    }

    @Test("a photo that was finished and then touched is still known to be whole, and begun anew it is not")
    func finished() {
        var queue = queue()
        queue.note(photo("a.jpg", .finished), at: at(0))
        queue.note(photo("a.jpg", .touched), at: at(10))
        #expect(queue.takeDue(at: at(100))?.finished == [ImagePath("a.jpg")!])
        queue.note(photo("a.jpg", .finished), at: at(200))
        queue.note(photo("a.jpg", .begun), at: at(210))
        #expect(queue.takeDue(at: at(300))?.finished == [])
    }

    @Test("who looks at everything takes all that waits, with what is known of it and why")
    func everything() {
        var queue = queue()
        queue.note(photo("a.jpg", .finished), at: at(0))
        queue.postpone([(ImagePath("later.jpg")!, nil)], at: at(0))
        queue.note(.everything(.overflow), at: at(10))
        #expect(queue.count == 3)
        let batch = queue.takeDue(at: at(60))
        #expect(batch?.everything == [.overflow] && batch?.finished == [ImagePath("a.jpg")!])
        #expect(batch?.places.map(\.text) == ["a.jpg", "later.jpg"])
        #expect(queue.count == 0 && queue.nextDue == nil)
    }

    @Test(
        "what is due next is never later than what becomes due, and no hint is due before it says",
        arguments: [1, 2, 3])
    func nextDue(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            var queue = queue()
            var time = 0
            for _ in 0..<30 {
                time += Int.random(in: 0..<60, using: &random)
                let change: FolderHint.PhotoChange = [.begun, .finished, .touched, .gone]
                    .randomElement(using: &random)!
                let earliest = queue.earliestDue(from: at(time))
                let before = queue.nextDue
                queue.note(photo("\(Int.random(in: 0..<5, using: &random)).jpg", change), at: at(time))
                if before == nil { #expect(queue.nextDue! >= earliest) }
                let due = queue.nextDue!
                #expect(queue.takeDue(at: due - .nanoseconds(1)) == nil)
                if Bool.random(using: &random), due <= at(time + 60) {
                    #expect(queue.takeDue(at: due) != nil)
                    time = Int((due - start).seconds * 1000) + 1
                }
            }
        }
    }

    @Test("a photo to try again keeps nobody waiting, and a change of it comes first")
    func retried() throws {
        let start = ContinuousClock.now
        var queue = LookQueue(.init(settle: .milliseconds(50), settleLimit: .seconds(2))) {
            ProductID($0.name)
        }
        let path = try #require(ImagePath("a.jpg"))
        queue.retry(path, at: start + .seconds(2))
        #expect(queue.count == 0 && queue.nextDue == start + .seconds(2))
        #expect(queue.takeDue(at: start + .seconds(1)) == nil)
        #expect(queue.takeDue(at: start + .seconds(2))?.places == [path])
        #expect(queue.takeDue(at: start + .seconds(3)) == nil && queue.nextDue == nil)
        queue.retry(path, at: start + .seconds(5))
        queue.note(.photo(path, .finished), at: start + .seconds(4))
        #expect(queue.takeDue(at: start + .milliseconds(4050))?.finished == [path])
        #expect(queue.nextDue == nil)
    }
}
