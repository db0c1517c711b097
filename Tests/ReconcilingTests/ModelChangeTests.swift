import Foundation
import Products
import Settings
import Synchronization
import TestSupport
import Testing

@testable import Reconciling

/// Two real networks; the second takes over from the first while rounds go on.
@Suite("A change of model")
struct ModelChangeTests {
    private let folder: TemporaryFolder
    private let manager = FileManager.default
    private static let (before, after) = ("efficientnet-lite0", "efficientnet-lite1")

    init() throws {
        folder = try TemporaryFolder()
        try manager.createDirectory(atPath: "\(folder.path)/photos", withIntermediateDirectories: true)
        for number in 1...6 { try add(number) }
        let first = try reconciler(Self.before).run()
        #expect(first.embedded == 6)
    }

    private func add(_ number: Int) throws {
        try manager.copyItem(
            atPath: "\(Repository.catalogue)/bird/bird-00\(number).jpg",
            toPath: "\(folder.path)/photos/\(number).jpg")
    }

    /// - Parameter keeps: whether the model in service goes on until the other can take over.
    private func reconciler(
        _ model: String, keeps: Bool = false, state: String = "state", output: String = "out"
    ) throws -> Reconciler {
        let settings = try Settings(
            """
            images.folder = "photos"
            output.folder = "\(output)"
            state.folder = "\(state)"
            model.folder = "\(Repository.models)"
            model.name = "\(model)"
            """, file: "\(folder.path)/shop.toml")
        let reconciler = try Reconciler(
            settings: settings, executable: Repository.agent, keepsModelInService: keeps)
        if keeps { try reconciler.start() }
        return reconciler
    }

    /// Another process goes on where one was.
    private func replace(_ service: inout Reconciler?, by model: String) throws {
        service = nil
        service = try reconciler(model, keeps: true)
    }

    private func files(_ output: String = "out") throws -> [String: Data] {
        try TemporaryFolder.contents(of: "\(folder.path)/\(output)")
    }

    private func names(_ model: String, _ files: [String: Data]) -> Bool {
        files.filter { $0.key.hasPrefix("products/") }.allSatisfy {
            String(decoding: $0.value, as: UTF8.self).contains("\"model\": \"\(model)\"")
        }
    }

    /// Options for a step that begins one photo.
    private func onePhoto() -> Round.Options {
        let begun = Atomic(0)
        var options = Round.Options()
        options.isOver = { begun.add(1, ordering: .relaxed).newValue > 1 }
        return options
    }

    @Test(
        "takes over in one step when every photo has a vector, however often it is interrupted, and lists stay as they are until then"
    )
    func takesOver() throws {
        var service: Reconciler? = try reconciler(Self.after, keeps: true)
        #expect(service!.coming == Self.after && service!.changeTrouble == nil)
        let old = try files()
        var (embedded, steps) = (0, 0)
        var tookOver: ReconcileReport?
        while tookOver == nil {
            steps += 1
            switch try service!.prepareChange(looksAgain: false, leavesOut: false, onePhoto()) {
            case .nothingToDo: Issue.record("nothing to do after \(steps) steps")
            case .embedded(let count):
                embedded += count
                #expect(count == 1)
                #expect(try steps > 2 ? names(Self.before, files()) : files() == old)
            case .tookOver(let report): tookOver = report
            }
            if steps == 2 {
                // Photos come and go meanwhile, and lists are those of the model in service!.
                try add(7)
                try manager.removeItem(atPath: "\(folder.path)/photos/6.jpg")
                let round = try service!.round(.everything, Round.Options())
                #expect(round.report.embedded == 1 && round.report.removed == 1)
                #expect(try names(Self.before, files()))
            }
            if steps == 4 { try replace(&service, by: Self.after) }
        }
        // The photo that went may have been among the first.
        #expect((6...7).contains(embedded) && tookOver?.products == 6 && tookOver?.model == Self.after)
        #expect(service!.coming == nil)
        guard
            case .nothingToDo = try service!.prepareChange(
                looksAgain: true, leavesOut: false, Round.Options())
        else {
            Issue.record("something to do after the take-over")
            return
        }
        _ = try reconciler(Self.after, state: "clean state", output: "clean").run()
        #expect(try files() == files("clean") && names(Self.after, try files()))
    }

    @Test("waits for a photo that is not there, says for which, and takes over when a round has judged it")
    func incomplete() throws {
        let service = try reconciler(Self.after, keeps: true)
        // Gone, and no round has looked yet.
        try manager.removeItem(atPath: "\(folder.path)/photos/3.jpg")
        var failure: ReconcileError?
        for _ in 0..<4 where failure == nil {
            do {
                _ = try service.prepareChange(looksAgain: false, leavesOut: true, Round.Options())
            } catch let error as ReconcileError {
                failure = error
            }
        }
        let reason = try #require(service.changeTrouble)
        #expect(failure == .changeFailed(reason: reason) && reason.contains("3.jpg"))
        #expect(try names(Self.before, files()))
        _ = try service.round(.everything, Round.Options())
        guard
            case .tookOver = try service.prepareChange(
                looksAgain: false, leavesOut: false, Round.Options())
        else {
            Issue.record("it did not take over: \(service.changeTrouble ?? "")")
            return
        }
        #expect(service.changeTrouble == nil)
        #expect(try names(Self.after, files()) && files().keys.count { $0.hasPrefix("products/") } == 5)
    }

    @Test("to a model that there is not leaves the one in service as it is, and says why")
    func missing() throws {
        let service = try reconciler("efficientnet-lite9", keeps: true)
        #expect(service.coming == nil && service.changeTrouble?.contains("efficientnet-lite9") == true)
        #expect(throws: ReconcileError.self) {
            _ = try service.prepareChange(looksAgain: true, leavesOut: false, Round.Options())
        }
        try add(7)
        #expect(try service.round(.everything, Round.Options()).report.embedded == 1)
        #expect(try names(Self.before, files()) && files().keys.count { $0.hasPrefix("products/") } == 7)
    }

    @Test(
        "back to the model in service is no change, and what was embedded for the other is kept for another day"
    )
    func back() throws {
        var service: Reconciler? = try reconciler(Self.after, keeps: true)
        guard
            case .embedded(1) = try service!.prepareChange(
                looksAgain: false, leavesOut: false, onePhoto())
        else { throw Unexpected() }
        try replace(&service, by: Self.before)
        #expect(service!.coming == nil)
        guard
            case .nothingToDo = try service!.prepareChange(
                looksAgain: true, leavesOut: false, Round.Options())
        else { throw Unexpected() }
        try replace(&service, by: Self.after)
        guard
            case .embedded(5) = try service!.prepareChange(
                looksAgain: false, leavesOut: false, Round.Options())
        else { throw Unexpected() }
    }

    private struct Unexpected: Error {}
}
