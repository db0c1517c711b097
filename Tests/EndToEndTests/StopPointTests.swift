import Foundation
import TestSupport
import Testing

/// A debug build can be made to end, as if it had been killed, at the n-th place between two steps of which the second must not be
/// lost with the first (`StopPoint`). Here it ends at each of them, whatever it is doing.
@Suite("Ended at any point", .inLanes)
struct StopPointTests {
    enum Work: String, CaseIterable, CustomTestStringConvertible {
        case firstRun = "a first run"
        case photosCome = "an import: photos that come, change and are renamed"
        case photosGo = "photos that go"
        case otherModel = "another picture for the model"
        case otherLayout = "files in folders by their digest, with the component"

        var testDescription: String { rawValue }
    }

    private let manager = FileManager.default

    /// The shop before the work, whose end is made there by `change`.
    private func prepare(_ work: Work) throws -> Shop {
        let shop = try Shop(perCategory: 1)
        if work != .firstRun {
            try shop.run("reconcile")
            try change(shop, work)
        }
        return shop
    }

    private func change(_ shop: Shop, _ work: Work) throws {
        switch work {
        case .firstRun: break
        case .photosCome:
            for name in ["bird/bird-002.jpg", "bird/bird-003.jpg", "fruit/fruit-002.jpg"] {
                try manager.copyItem(
                    atPath: "\(Repository.catalogue)/\(name)", toPath: "\(shop.photos)/\(name)")
            }
            try manager.removeItem(atPath: "\(shop.photos)/fruit/fruit-001.jpg")
            try manager.copyItem(
                atPath: "\(Repository.catalogue)/fruit/fruit-003.jpg",
                toPath: "\(shop.photos)/fruit/fruit-001.jpg")
            try manager.moveItem(
                atPath: "\(shop.photos)/bird/bird-001.jpg", toPath: "\(shop.photos)/bird/renamed.jpg")
        case .photosGo:
            for name in ["bird", "fruit/fruit-001.jpg"] {
                try manager.removeItem(atPath: "\(shop.photos)/\(name)")
            }
        case .otherModel: try shop.configure(extra(work))
        case .otherLayout: try shop.configure("", output: output(work))
        }
    }

    private func extra(_ work: Work) -> String {
        work == .otherModel ? "[picture]\nfit = \"stretch\"\n" : ""
    }

    private func output(_ work: Work) -> String {
        work == .otherLayout ? "layout = \"sharded\"\nshard_digits = 1\ncomponent = true\n" : ""
    }

    @Test(
        "the next run makes what a clean run makes, and whatever is there before is whole",
        arguments: Work.allCases)
    func everyPoint(of work: Work) throws {
        let shop = try prepare(work)
        let clean = try shop.cleanRun(extra: extra(work), output: output(work))
        let before = try shop.files()
        let base = "\(shop.folder.path)/base"
        try manager.createDirectory(atPath: base, withIntermediateDirectories: true)
        for name in ["out", "state"] where manager.fileExists(atPath: "\(shop.folder.path)/\(name)") {
            try Shop.run(["cp", "-a", "\(shop.folder.path)/\(name)", base])
        }

        var points: [String: Int] = [:]
        var number = 0
        while true {
            number += 1
            for name in ["out", "state"] {
                try? manager.removeItem(atPath: "\(shop.folder.path)/\(name)")
                if manager.fileExists(atPath: "\(base)/\(name)") {
                    try Shop.run(["cp", "-a", "\(base)/\(name)", shop.folder.path])
                }
            }
            let cut = try shop.run("reconcile", under: ["env", "IMGREC_STOP_AT=\(number)"])
            guard cut.code == SIGKILL else {
                #expect(cut.code == 0, "\(cut.errors)")
                break
            }
            let point = String(
                cut.errors.split(separator: "\n").last { $0.contains("stopped before ") } ?? "")
            points[String(point.trimmingPrefix("stopped before ")), default: 0] += 1
            for (name, data) in try shop.files() where !name.hasPrefix(".") {
                #expect(data == before[name] || data == clean[name], "\(name), point \(number): \(point)")
            }
            let next = try shop.run("reconcile")
            #expect(next.code == 0, "point \(number): \(point): \(next.errors)")
            #expect(try shop.files() == clean, "point \(number): \(point)")
            let idle: Report = try shop.run("reconcile", "--json").json()
            #expect(
                idle.read == 0 && idle.published.written == 0 && idle.products > 0,
                "point \(number): \(point)")
        }
        print(
            "\(work.rawValue): ended at each of \(number - 1) points: \(points.sorted { $0.key < $1.key }.map { "\($0.value) before \($0.key)" }.joined(separator: ", "))"
        )
        // A build without stop points would end at none of them.
        #expect(number > 10)
    }
}
