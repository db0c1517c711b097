import Foundation
import TestSupport
import Testing

/// A debug build can be made to end, as if it had been killed, at the n-th point at which a crash must lose nothing (`StopPoint`). Here it ends at each of them, whatever it is doing.
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

    /// A shop as it is before each ending, what is made of it in the end, and what was found.
    private final class Series {
        let shop: Shop
        let clean: [String: Data]
        private let before: [String: Data]
        private var points: [String: Int] = [:]
        private(set) var number = 0
        private var base: String { "\(shop.folder.path)/base" }

        init(_ shop: Shop, clean: [String: Data]) throws {
            (self.shop, self.clean) = (shop, clean)
            before = try shop.files()
            try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
            for name in ["out", "state"]
            where FileManager.default.fileExists(atPath: "\(shop.folder.path)/\(name)") {
                try Shop.run(["cp", "-a", "\(shop.folder.path)/\(name)", base])
            }
        }

        /// Puts all back; what is run next ends at the next point.
        func begin() throws -> [String] {
            number += 1
            for name in ["out", "state"] {
                try? FileManager.default.removeItem(atPath: "\(shop.folder.path)/\(name)")
                if FileManager.default.fileExists(atPath: "\(base)/\(name)") {
                    try Shop.run(["cp", "-a", "\(base)/\(name)", shop.folder.path])
                }
            }
            return ["env", "IMGREC_STOP_AT=\(number)"]
        }

        /// It has ended there: whatever is there is whole, and the next run makes what a clean run makes.
        func check(_ errors: String) throws {
            let point = String(
                try #require(errors.firstMatch(of: /stopped ((?:before|after) .*)/), "\(errors)").output.1)
            points[point, default: 0] += 1
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

        func report(_ work: String) {
            let all = points.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
            print("\(work): ended at each of \(number - 1) points: \(all.joined(separator: ", "))")
            // A build without stop points would end at none of them.
            #expect(points.count > 3)
        }
    }

    @Test(
        "the next run makes what a clean run makes, and whatever is there before is whole",
        arguments: Work.allCases)
    func everyPoint(of work: Work) throws {
        let shop = try prepare(work)
        let series = try Series(shop, clean: try shop.cleanRun(extra: extra(work), output: output(work)))
        while true {
            let cut = try shop.run("reconcile", under: try series.begin())
            guard cut.code == SIGKILL else {
                #expect(cut.code == 0, "\(cut.errors)")
                break
            }
            try series.check(cut.errors)
        }
        series.report(work.rawValue)
    }

    @Test("so it is while a running agent has another model take over behind the one in service")
    func takeOver() throws {
        let shop = try Shop(perCategory: 0)
        for number in 1...4 {
            try manager.copyItem(
                atPath: "\(Repository.catalogue)/bird/bird-00\(number).jpg",
                toPath: "\(shop.photos)/\(number).jpg")
        }
        try shop.run("reconcile")
        let other = "[model]\nname = \"efficientnet-lite1\"\n[performance]\nbackground_percent = 100\n"
        try shop.configure(other)
        let series = try Series(shop, clean: try shop.cleanRun(extra: other))
        while true {
            let agent = try Shop.start(
                try series.begin() + [Shop.binary, "run", "--config", shop.settings])
            let hasTakenOver = {
                guard let status: LiveStatus = try? shop.run("status", "--json").json() else { return false }
                return status.running?.state == "idle" && status.model?.name == "efficientnet-lite1"
            }
            #expect(eventually { !agent.process.isRunning || hasTakenOver() })
            if agent.process.isRunning { kill(agent.process.processIdentifier, SIGTERM) }
            let errors = String(decoding: agent.errors.readDataToEndOfFile(), as: UTF8.self)
            agent.process.waitUntilExit()
            guard agent.process.terminationStatus == SIGKILL else {
                #expect(agent.process.terminationStatus == 0, "\(errors)")
                break
            }
            try series.check(errors)
        }
        series.report("a change of model behind the one in service")
    }
}
