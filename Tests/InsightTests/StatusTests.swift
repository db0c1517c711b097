import Catalogue
import Control
import Foundation
import Hooking
import Products
import Settings
import TestSupport
import Testing

@testable import Insight

@Suite("What the catalogue says of itself")
struct StatusTests {
    private let folder: TemporaryFolder
    private let settings: Settings

    init() throws {
        folder = try TemporaryFolder()
        settings = try Settings(
            """
            images.folder = "photos"
            images.exclude = ["skipped"]
            output.folder = "out"
            state.folder = "state"
            publish.hook = ["/bin/true"]
            """, file: "\(folder.path)/shop.toml")
    }

    private func record(_ name: String, _ identity: UInt8) -> ModelRecord {
        ModelRecord(
            identity: ContentDigest(of: [identity]), name: name, precision: "f32", dimension: 3, recipe: nil)
    }

    private func fill(_ catalogue: Catalogue) throws {
        let model = try catalogue.number(of: record("now", 1))
        let stamp = FileStamp(bytes: 1, mtimeNanoseconds: 1)
        try catalogue.store(
            images: ["a", "b", "c"].map { name in
                let path = ImagePath("\(name).jpg")!
                return ImageRecord(
                    path: path, product: ProductID(of: path), stamp: stamp,
                    state: name == "c"
                        ? .failed(reason: "no photo", attempts: 2, under: nil)
                        : .ready(ContentDigest(of: Array(name.utf8))))
            },
            embeddings: try ["a", "b"].map {
                (ContentDigest(of: Array($0.utf8)), try Embedding(normalizing: [1, 2, 3]))
            }, model: model)
        try catalogue.rank(Departures(), model: model, depth: 1, changing: 2) { transaction in
            try transaction.set([Neighbour(product: ProductID("b"), score: 1)], of: ProductID("a"))
            try transaction.set([Neighbour(product: ProductID("a"), score: 1)], of: ProductID("b"))
            try transaction.noteUpToDate([ProductID("a"), ProductID("b")])
        }
        var note = PublicationNote(
            model: model, parts: ["products"], form: ContentDigest(of: [2]))
        note.published = [(ProductID("a"), ContentDigest(of: [3]))]
        note.forHook = [ProductID("a")]
        try catalogue.notePublished(note)
        let coming = try #require(try catalogue.setComing(record("next", 4)))
        try catalogue.store(
            images: [],
            embeddings: [(ContentDigest(of: Array("a".utf8)), try Embedding(normalizing: [3, 2, 1]))],
            model: coming)
        try catalogue.setHeldBack(true)
        var found = ReconcileReport()
        found.added = 2
        try catalogue.note(
            LastReconcile(
                endedAt: 1_700_000_000,
                report: String(decoding: try JSONEncoder().encode(found), as: UTF8.self)))
    }

    @Test("before there is a catalogue there is nothing to say, and it says what to do")
    func nothing() {
        let error = #expect(throws: InsightError.self) { try StatusReport(ofCatalogue: settings) }
        #expect(error?.description.contains("imgrec-agent") == true)
    }

    @Test("everything in it is said, whether or not an agent runs, and makes the way through JSON")
    func all() throws {
        let catalogue = try Catalogue(stateFolder: settings.state.folder)
        try fill(catalogue)
        for name in ["a", "deep/er", "skipped/x"] { try folder.write("photos/\(name)/1.jpg", [1]) }
        let report = try StatusReport(ofCatalogue: settings)
        #expect(report.running == nil && report.silence == nil)
        #expect(report.model == .init(name: "now", precision: "f32", dimension: 3))
        #expect(
            report.change?.model.name == "next" && report.change?.embedded == 1 && report.change?.photos == 2)
        #expect(report.products == 2 && report.photos == 2)
        #expect(report.failed == [.init(path: "c.jpg", reason: "no photo", attempts: 2)])
        #expect(report.isHeldBack && report.generation == 1)
        #expect(report.hook?.waiting == 1 && report.hook?.command == ["/bin/true"])
        #expect(
            report.lastReconcile?.endedAt == "2023-11-14T22:13:20Z" && report.lastReconcile?.found.added == 2)
        // The image folder itself, a, deep and deep/er.
        #expect(report.folders == 4 && report.watchesAllowed != nil)
        let again = try JSONDecoder().decode(StatusReport.self, from: try JSONEncoder().encode(report))
        #expect(again == report)
    }

    @Test("where an agent runs and does not answer, that is said, and nobody looks at the photos")
    func silent() throws {
        let catalogue = try Catalogue(stateFolder: settings.state.folder)
        try fill(catalogue)
        try folder.write("photos/1.jpg", [1])
        let silence = ControlError.noAnswer(socket: "/s", seconds: 5)
        let report = try StatusReport(ofCatalogue: settings, silence: silence)
        #expect(report.silence == silence.description && report.folders == nil && report.products == 2)
        // Without a catalogue the silence is what is wrong.
        var other = settings
        other.state.folder = "\(folder.path)/none"
        #expect(throws: silence) { try StatusReport(ofCatalogue: other, silence: silence) }
    }

    @Test("what is due is said as an interruption, and a report of another version as none")
    func interrupted() throws {
        let catalogue = try Catalogue(stateFolder: settings.state.folder)
        try fill(catalogue)
        try catalogue.note(LastReconcile(endedAt: 1, report: "{\"of another version\":1}"))
        try catalogue.adopt([ProductID("z")])
        let report = try StatusReport(
            settings: settings, catalogue: catalogue, hook: HookStatus())
        #expect(report.isInterrupted && report.due > 0 && report.lastReconcile == nil)
    }
}
