import Foundation
import Products
import TestSupport
import Testing

@testable import Catalogue

@Suite("Reconcile", .serialized, .inLanes)
struct ReconcileTests {
    private struct Reference: Decodable {
        let photo: String
        let reference: [Float]
        let onnxRuntime: [Float]?
    }

    @Test("a first run over the whole catalogue is as exact and as good as it should be")
    func firstRun() throws {
        let shop = try Shop(perCategory: nil)
        let count = Repository.photos.count
        let result = try shop.run("reconcile", "--json")
        try #require(result.code == 0, "\(result.errors)")
        let report: Report = try result.json()
        #expect(
            report.added == count && report.embedded == count && report.products == count
                && report.failed.isEmpty)

        let references = try JSONDecoder().decode(
            [Reference].self, from: Data(try Repository.fixture("embeddings.json")))
        let names = references.map { String($0.photo.dropLast(4)) }
        func cosine(_ a: [Float], _ b: [Float]) -> Double {
            var sum = 0.0
            for index in a.indices { sum += Double(a[index]) * Double(b[index]) }
            return sum
        }

        var agreeing = 0
        var sameCategory = 0
        var largestDifference = 0.0
        for (index, name) in names.enumerated() {
            let file = "\(shop.output)/products/\(name).json"
            let document = try JSONDecoder().decode(
                Document.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
            #expect(
                document.schemaVersion == 1 && document.product == name && document.recommendations.count == 5
            )
            let own = references[index].reference
            let expected = names.indices.filter { $0 != index }
                .map { (names[$0], cosine(own, references[$0].reference)) }.sorted { $0.1 > $1.1 }
            let best = Set(expected.prefix(5).map(\.0))
            let scores = Dictionary(uniqueKeysWithValues: expected)
            for recommendation in document.recommendations {
                agreeing += best.contains(recommendation.product) ? 1 : 0
                sameCategory += recommendation.product.hasPrefix(name.prefix { $0 != "/" } + "/") ? 1 : 0
                largestDifference = max(
                    largestDifference, abs(recommendation.score - (scores[recommendation.product] ?? 9)))
            }
        }
        let total = Double(names.count * 5)
        print(
            "precision@5 \(Double(sameCategory) / total), agreement with Pillow and OpenVINO \(Double(agreeing) / total), largest difference of a score \(largestDifference)"
        )
        #expect(Double(sameCategory) / total >= 0.62)
        #expect(Double(agreeing) / total >= 0.95)
        #expect(largestDifference <= 0.01)

        // The converter, compared with another runtime.
        let catalogue = try #require(try Catalogue.forReading(stateFolder: shop.state))
        let model = try #require(try catalogue.rankingState().model)
        var vectors: [String: Products.Embedding] = [:]
        try catalogue.forEachVectors(of: model, inGroupsOf: 100) { group in
            for (product, vector) in group { vectors[product.text] = vector }
        }
        var compared = 0
        for reference in references {
            guard let expected = reference.onnxRuntime else { continue }
            let own = try #require(vectors[String(reference.photo.dropLast(4))])
            #expect(cosine(own.values, expected) >= 0.9999)
            compared += 1
        }
        #expect(compared >= 40)

        // Unchanged photos: no file of the output changes, no photo is opened, no network is spoken to.
        let before = try Self.stamps(of: shop.output)
        let trace = "\(shop.folder.path)/trace"
        let second = try shop.run(
            "reconcile", "--json",
            under: ["strace", "-f", "-qq", "-e", "trace=open,openat,openat2,socket,connect", "-o", trace])
        try #require(second.code == 0, "\(second.errors)")
        let again: Report = try second.json()
        #expect(
            again.unchanged == count && again.read == 0 && again.embedded == 0 && again.published.written == 0
        )
        #expect(try Self.stamps(of: shop.output) == before)
        let calls = try String(contentsOfFile: trace, encoding: .utf8)
        #expect(calls.contains("catalogue.sqlite"))  // the trace works
        #expect(!calls.contains(".jpg") && !calls.contains("AF_INET"))
    }

    private static func stamps(of folder: String) throws -> [String: String] {
        try TemporaryFolder.contents(of: folder).keys.reduce(into: [:]) { result, name in
            var status = stat()
            _ = stat("\(folder)/\(name)", &status)
            result[name] = "\(status.st_ino) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        }
    }

    @Test("a cold run speaks to no network and writes nowhere else")
    func contained() throws {
        let shop = try Shop(perCategory: 1)
        let trace = "\(shop.folder.path)/trace"
        let result = try shop.run(
            "reconcile",
            under: [
                "strace", "-f", "-qq", "-e",
                "trace=open,openat,mkdir,mkdirat,rename,renameat,renameat2,socket,connect", "-o", trace,
            ])
        try #require(result.code == 0, "\(result.errors)")
        let calls = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
        #expect(!calls.contains { $0.contains("AF_INET") })
        let writing = calls.filter {
            $0.contains("O_WRONLY") || $0.contains("O_RDWR") || $0.contains("O_CREAT")
                || $0.contains("mkdir(")
        }
        #expect(writing.count > 10)
        // A process that reads photos says of itself that it is the one to kill where memory runs out.
        let allowed = [shop.output, shop.state, "/dev/null", "/proc/self/oom_score_adj"]
        for call in writing where call.contains("\"/") && !call.contains("= -1") {
            #expect(allowed.contains { call.contains("\"\($0)") }, "\(call)")
        }
    }

    @Test("a renamed photo is not embedded again, nor a copied one")
    func rename() throws {
        let shop = try Shop(perCategory: 4)
        try shop.run("reconcile")
        let manager = FileManager.default
        try manager.moveItem(atPath: "\(shop.photos)/bird", toPath: "\(shop.photos)/caps")
        try manager.copyItem(atPath: "\(shop.photos)/fruit/fruit-001.jpg", toPath: "\(shop.photos)/copy.jpg")
        let report: Report = try shop.run("reconcile", "--json").json()
        #expect(
            report.added == 5 && report.removed == 4 && report.embedded == 0 && report.read == 5
                && report.heldBack == 0)
        #expect(try shop.files() == shop.cleanRun())
    }

    @Test("every photo renamed at once is no removal, and embeds nothing")
    func renameAll() throws {
        let shop = try Shop(perCategory: 2)
        try shop.run("reconcile")
        try FileManager.default.moveItem(atPath: shop.photos, toPath: "\(shop.folder.path)/moved")
        try FileManager.default.createDirectory(atPath: shop.photos, withIntermediateDirectories: true)
        try FileManager.default.moveItem(atPath: "\(shop.folder.path)/moved", toPath: "\(shop.photos)/2026")
        let report: Report = try shop.run("reconcile", "--json").json()
        #expect(report.embedded == 0 && report.heldBack == 0 && report.products == 20)
        #expect(try shop.files() == shop.cleanRun())
    }

    @Test("a copy of a photo in the same run is embedded once")
    func copies() throws {
        let shop = try Shop(perCategory: 1)
        for index in 0..<10 {
            try FileManager.default.copyItem(
                atPath: "\(shop.photos)/fruit/fruit-001.jpg", toPath: "\(shop.photos)/copy-\(index).jpg")
            try shop.folder.write("photos/broken-\(index).jpg", [1, 2, 3])
        }
        let report: Report = try shop.run("reconcile", "--json").json()
        #expect(report.embedded == 10 && report.products == 20 && report.failed.count == 10)
    }

    @Test("any sequence of changes ends in what a run from scratch writes", arguments: [1, 2])
    func anySequence(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let shop = try Shop(perCategory: 3)
        let manager = FileManager.default
        try shop.run("reconcile")
        for step in 0..<4 {
            for change in 0..<Int.random(in: 1...5, using: &random) {
                let present = (manager.enumerator(atPath: shop.photos)?.compactMap { $0 as? String } ?? [])
                    .filter { $0.hasSuffix(".jpg") }.sorted()
                let (one, other) = (
                    present.randomElement(using: &random)!, present.randomElement(using: &random)!
                )
                let (path, new) = ("\(shop.photos)/\(one)", "\(shop.photos)/new-\(step)-\(change).jpg")
                switch Int.random(in: 0..<6, using: &random) {
                case 0: try manager.removeItem(atPath: path)
                case 1: try manager.moveItem(atPath: path, toPath: new)
                case 2: try manager.copyItem(atPath: path, toPath: new)
                case 3 where one != other:
                    try manager.removeItem(atPath: path)
                    try manager.copyItem(atPath: "\(shop.photos)/\(other)", toPath: path)
                case 4: try Data([0xFF, 0xD8, 0xFF, 0xE0, 1, 2, 3]).write(to: URL(fileURLWithPath: path))
                default: try manager.moveItem(atPath: path, toPath: String(path.dropLast(3)) + "jpeg")
                }
            }
            let result = try shop.run("reconcile", "--json")
            #expect(result.code == 0, "seed \(seed), step \(step): \(result.errors)")
            #expect(try shop.files() == shop.cleanRun(), "seed \(seed), step \(step)")
        }
    }

    @Test("a photo that is damaged is told with its reason, and does not stop the others")
    func corrupt() throws {
        let shop = try Shop(perCategory: 2)
        try shop.run("reconcile")
        let whole = try Data(contentsOf: URL(fileURLWithPath: "\(shop.photos)/bird/bird-001.jpg"))
        try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: "\(shop.photos)/bird/bird-001.jpg"))
        try shop.folder.write("photos/empty.jpg", [])
        try shop.folder.write("photos/text.png", Array("hello".utf8))
        try Data(try Repository.fixture("imaging/png-called.jpg")).write(
            to: URL(fileURLWithPath: "\(shop.photos)/misnamed.jpg"))
        try FileManager.default.createSymbolicLink(
            atPath: "\(shop.photos)/link.jpg", withDestinationPath: "/etc/passwd")
        let result = try shop.run("reconcile", "--json")
        #expect(result.code == 0)
        let report: Report = try result.json()
        #expect(report.failed.map(\.path) == ["bird/bird-001.jpg", "empty.jpg", "link.jpg", "text.png"])
        #expect(report.failed[0].reason.contains("damaged") && report.failed[1].reason.contains("empty"))
        #expect(report.products == 20)  // one less, one more
        #expect(try shop.files() == shop.cleanRun())
        #expect(try shop.files()["products/misnamed.json"] != nil)
        #expect(try shop.files()["products/bird/bird-001.json"] == nil)

        // Tried again while they are young, for they may be half written; then not until they change.
        let young: Report = try shop.run("reconcile", "--json").json()
        #expect(young.read == 3 && young.failed.count == 4)
        for name in ["empty.jpg", "text.png", "bird/bird-001.jpg"] {
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -120)], ofItemAtPath: "\(shop.photos)/\(name)")
        }
        try shop.run("reconcile")
        let again: Report = try shop.run("reconcile", "--json").json()
        #expect(again.read == 0 && again.failed.count == 4)
        try whole.write(to: URL(fileURLWithPath: "\(shop.photos)/bird/bird-001.jpg"))
        let mended: Report = try shop.run("reconcile", "--json").json()
        #expect(mended.failed.count == 3 && mended.products == 21)
        let status = try shop.run("status")
        #expect(status.output.contains("text.png: this is not a picture"))
    }

    /// So many calls of the kernel of one kind on one thread, and then it is killed: from the first page of the catalogue to
    /// the removal of what was put aside. SQLite writes with pwrite64 and flushes with fdatasync; files are put aside with
    /// openat, and get their names with renameat.
    private static let moments: [(call: String, number: Int)] = [
        ("flock", 1), ("pwrite64", 1), ("pwrite64", 20), ("pwrite64", 60), ("pwrite64", 120),
        ("fdatasync", 1),
        ("fdatasync", 2), ("fdatasync", 3), ("fdatasync", 4), ("unlink", 1), ("mkdirat", 1), ("renameat", 1),
        ("renameat", 60), ("renameat", 120),
        ("renameat", 121),
        ("unlinkat", 1),
    ]

    @Test("killed at any moment, the next run makes what a clean run makes", arguments: moments)
    func killed(moment: (call: String, number: Int)) throws {
        let shop = try Shop(perCategory: 12)
        let clean = try Self.clean.get(shop)
        let cut = try shop.run(
            "reconcile",
            under: [
                "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(moment.call)", "-e",
                "inject=\(moment.call):signal=SIGKILL:when=\(moment.number)",
            ])
        #expect(cut.code == SIGKILL, "it was over before: \(cut.output)\(cut.errors)")
        // Whatever is there by now is whole.
        for (name, data) in try shop.files() where name.hasSuffix(".json") && !name.hasPrefix(".") {
            #expect(clean[name] == data, "\(name) after \(moment)")
        }
        let result = try shop.run("reconcile", "--json")
        #expect(result.code == 0, "\(result.errors)")
        #expect(try shop.files() == clean)
        let idle: Report = try shop.run("reconcile", "--json").json()
        #expect(idle.read == 0 && idle.published.written == 0)
    }

    @Test("killed while it makes the catalogue, at whatever call, the next run makes it, and looking says so")
    func killedFirst() throws {
        let shop = try Shop(perCategory: 0)
        try FileManager.default.copyItem(
            atPath: "\(Repository.catalogue)/bird/bird-001.jpg", toPath: "\(shop.photos)/a.jpg")
        let clean = try shop.cleanRun()
        // Until a call comes that a run does not make.
        for call in ["pwrite64", "fdatasync", "unlink"] {
            var number = 1
            while true {
                try? FileManager.default.removeItem(atPath: shop.state)
                try? FileManager.default.removeItem(atPath: shop.output)
                let cut = try shop.run(
                    "reconcile",
                    under: [
                        "strace", "-f", "-qq", "-o", "/dev/null", "-P",
                        "\(shop.state)/catalogue.sqlite", "-P", "\(shop.state)/catalogue.sqlite-journal",
                        "-P", "\(shop.state)/catalogue.sqlite-wal", "-e", "trace=\(call)", "-e",
                        "inject=\(call):signal=SIGKILL:when=\(number)",
                    ])
                guard cut.code == SIGKILL else { break }
                let status = try shop.run("status")
                #expect(
                    status.code == 0 || status.code == 75 && status.errors.contains("was not finished"),
                    "\(call) \(number): \(status.errors)")
                let result = try shop.run("reconcile")
                #expect(result.code == 0, "\(call) \(number): \(result.errors)")
                #expect(try shop.files() == clean)
                // The tables are made by the first.
                number += number < 20 ? 1 : 15
            }
            #expect(number > 1, "\(call) was never made")
        }
    }

    /// The clean run is the same for every moment: made once.
    private static let clean = CleanRun()
    private final class CleanRun: @unchecked Sendable {  // the suite is serialized
        private var files: [String: Data]?
        func get(_ shop: Shop) throws -> [String: Data] {
            if let files { return files }
            let made = try shop.cleanRun()
            files = made
            return made
        }
    }

    @Test("files that somebody deleted or changed are there again, and forgotten ones go")
    func repaired() throws {
        let shop = try Shop(perCategory: 2)
        try shop.run("reconcile")
        let files = try shop.files()
        try FileManager.default.removeItem(atPath: "\(shop.output)/products/bird")
        try Data("{}".utf8).write(to: URL(fileURLWithPath: "\(shop.output)/products/fruit/fruit-001.json"))
        let report: Report = try shop.run("reconcile", "--json").json()
        #expect(report.published.written == 3)
        #expect(try shop.files() == files)

        // The state is lost, and a photo has gone meanwhile.
        try FileManager.default.removeItem(atPath: shop.state)
        try FileManager.default.removeItem(atPath: "\(shop.photos)/bird/bird-001.jpg")
        try shop.run("reconcile")
        #expect(try shop.files() == shop.cleanRun())
    }

    @Test("an emptied or missing folder never empties the site")
    func massRemoval() throws {
        let shop = try Shop(perCategory: 2)
        try shop.run("reconcile")
        let files = try shop.files()
        try FileManager.default.moveItem(atPath: shop.photos, toPath: "\(shop.folder.path)/away")
        let missing = try shop.run("reconcile")
        #expect(missing.code == 66 && missing.errors.contains("does not exist"))
        try FileManager.default.createDirectory(atPath: shop.photos, withIntermediateDirectories: true)
        let emptied = try shop.run("reconcile")
        #expect(emptied.code == 75 && emptied.errors.contains("--allow-mass-removal"))
        #expect(try shop.files() == files)
        // New photos are published all the same.
        try FileManager.default.copyItem(
            atPath: "\(shop.folder.path)/away/bird", toPath: "\(shop.photos)/new")
        try FileManager.default.removeItem(atPath: "\(shop.photos)/new/bird-001.jpg")
        #expect(try shop.run("reconcile").code == 75)
        #expect(try shop.files()["products/new/bird-002.json"] != nil)
        #expect(try shop.files()["products/fruit/fruit-001.json"] != nil)
        // The owner says that they are meant to go.
        let allowed = try shop.run("reconcile", "--allow-mass-removal")
        #expect(allowed.code == 0)
        #expect(try shop.files() == shop.cleanRun())
    }

    @Test("photos that are all damaged at once do not empty the site either")
    func massDamage() throws {
        let shop = try Shop(perCategory: 1)
        try shop.run("reconcile")
        let files = try shop.files()
        for case let name as String in FileManager.default.enumerator(atPath: shop.photos) ?? .init()
        where name.hasSuffix(".jpg") {
            try Data().write(to: URL(fileURLWithPath: "\(shop.photos)/\(name)"))
        }
        #expect(try shop.run("reconcile").code == 75)
        #expect(try shop.files() == files)
    }

    @Test(
        "a lost state and an empty folder together do not empty the site, nor does another shop's first run")
    func lostState() throws {
        let shop = try Shop(perCategory: 1)
        try shop.run("reconcile")
        let files = try shop.files()
        try FileManager.default.removeItem(atPath: shop.state)
        try FileManager.default.moveItem(atPath: shop.photos, toPath: "\(shop.folder.path)/away")
        try FileManager.default.createDirectory(atPath: shop.photos, withIntermediateDirectories: true)
        let emptied = try shop.run("reconcile")
        #expect(emptied.code == 75 && emptied.errors.contains("does not know"))
        #expect(try shop.files() == files)
        try shop.folder.write("photos/other.jpg", try Repository.fixture("imaging/photo-0.jpg"))
        #expect(try shop.run("reconcile").code == 75)
        #expect(try shop.files() == files)
        #expect(try shop.run("reconcile", "--allow-mass-removal").code == 0)
        #expect(try shop.files().keys.sorted() == ["index.json", "products/other.json"])
    }

    @Test("a picture that many products share does not stand for those that vanish")
    func placeholders() throws {
        let shop = try Shop(perCategory: 0)
        for index in 0..<9 {
            try shop.folder.write(
                "photos/placeholder-\(index).jpg", try Repository.fixture("imaging/photo-0.jpg"))
        }
        try shop.folder.write("photos/a.jpg", try Repository.fixture("imaging/photo-1.jpg"))
        try shop.run("reconcile")
        for index in 1..<9 {
            try FileManager.default.removeItem(atPath: "\(shop.photos)/placeholder-\(index).jpg")
        }
        #expect(try shop.run("reconcile").code == 75)
        #expect(try shop.files().count == 11)
    }

    @Test("a change of model waits for photos that cannot be seen")
    func hiddenPhotos() throws {
        let shop = try Shop(perCategory: 1)
        try shop.run("reconcile")
        let files = try shop.files()
        // A link in a folder's place hides it, as missing permissions would from a user who is not root.
        try FileManager.default.moveItem(atPath: "\(shop.photos)/bird", toPath: "\(shop.folder.path)/bird")
        try FileManager.default.createSymbolicLink(
            atPath: "\(shop.photos)/bird", withDestinationPath: "\(shop.folder.path)/bird")
        #expect(try shop.run("reconcile").code == 0)
        #expect(try shop.files() == files)
        try shop.configure("[model]\nprecision = \"auto\"\n")
        let waiting = try shop.run("reconcile")
        #expect(
            waiting.code == 75
                && waiting.errors.contains("have no vector of the new model, the first is bird/"))
        #expect(try shop.files() == files)
        #expect(try shop.run("reconcile", "--allow-mass-removal").code == 0)
        #expect(try shop.files().count == 10)
    }

    @Test("another precision embeds everything anew, and back again gives the same bytes")
    func precision() throws {
        let shop = try Shop(perCategory: 2)
        try shop.run("reconcile")
        let files = try shop.files()
        try shop.configure("[model]\nprecision = \"auto\"\n")
        let report: Report = try shop.run("reconcile", "--json").json()
        #expect(report.modelChanged == 20 && report.embedded == 20 && report.products == 20)
        try shop.configure("")
        try shop.run("reconcile")
        #expect(try shop.files() == files)
    }

    @Test("another count of recommendations embeds nothing")
    func count() throws {
        let shop = try Shop(perCategory: 2, extra: "[recommendations]\ncount = 3\n")
        try shop.run("reconcile")
        try shop.configure("[recommendations]\ncount = 50\n")
        let report: Report = try shop.run("reconcile", "--json").json()
        #expect(report.read == 0 && report.published.written == 20)
        let data = try #require(try shop.files()["products/fruit/fruit-001.json"])
        #expect(try JSONDecoder().decode(Document.self, from: data).recommendations.count == 19)
    }

    @Test("photos of one product share its document, and grouping them later reads none and loses none")
    func grouped() throws {
        let shop = try Shop(perCategory: 2)
        try shop.run("reconcile")
        let text = try String(contentsOfFile: shop.settings, encoding: .utf8)
        try text.replacingOccurrences(
            of: "folder = \"photos\"", with: "folder = \"photos\"\nproduct_pattern = '^(.*)-[0-9]+[.]jpg$'"
        ).write(toFile: shop.settings, atomically: true, encoding: .utf8)
        let report: Report = try shop.run("reconcile", "--json").json()
        #expect(report.read == 0 && report.heldBack == 0 && report.products == 10)
        let data = try #require(try shop.files()["products/fruit/fruit.json"])
        #expect(
            try JSONDecoder().decode(Document.self, from: data).images == [
                "fruit/fruit-001.jpg", "fruit/fruit-002.jpg",
            ])
        #expect(try shop.files().count == 11)
    }

    @Test("names that are unsafe, strange or long get a file of their own inside the output folder")
    func names() throws {
        let shop = try Shop(perCategory: 1)
        let photo = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(shop.photos)/bird/bird-001.jpg")))
        let long = String(repeating: "x", count: 251)
        let names: [[UInt8]] = [
            Array("...jpg".utf8).dropFirst(0).map { $0 }, Array("a..jpg".utf8), Array("50% off.jpg".utf8),
            Array("line\nbreak.jpg".utf8),
            Array("\(long).jpg".utf8), [0xE9, 0xFF] + Array(".jpg".utf8), Array("e\u{301}.jpg".utf8),
            Array("\u{E9}.jpg".utf8),
            Array("tab\t\"quote\".jpg".utf8), Array("<b>&.jpg".utf8), Array("back\\slash.jpg".utf8),
        ]
        for name in names {
            let path = Array("\(shop.photos)/".utf8) + name + [0]
            let descriptor = path.withUnsafeBytes {
                open($0.baseAddress!.assumingMemoryBound(to: CChar.self), O_CREAT | O_WRONLY, 0o644)
            }
            try #require(descriptor >= 0)
            photo.withUnsafeBytes { _ = write(descriptor, $0.baseAddress!, $0.count) }
            close(descriptor)
        }
        // A folder that would lie where a file has to.
        try shop.folder.write("photos/bird/bird-001.json/x.jpg", photo)
        let result = try shop.run("reconcile", "--json")
        try #require(result.code == 0, "\(result.errors)")
        let report: Report = try result.json()
        // A name that begins with a dot is passed over.
        #expect(report.products == 10 + names.count - 1 + 1 && report.failed.isEmpty)
        #expect(report.published.written == report.products)
        struct Index: Decodable {
            struct Entry: Decodable { let file: String, digest: String }
            let products: [String: Entry]
        }
        let files = try shop.files()
        let index = try JSONDecoder().decode(Index.self, from: try #require(files["index.json"]))
        for (name, entry) in index.products {
            let data = try #require(files[entry.file], "\(name)")
            #expect(entry.digest == "sha256:\(ContentDigest(of: data))")
        }
        #expect(try shop.run("gallery").code == 0)
    }

    @Test("a dry run says what would be done and does nothing")
    func dryRun() throws {
        let shop = try Shop(perCategory: 1)
        let first = try shop.run("reconcile", "--dry-run")
        #expect(
            first.code == 0 && first.output.contains("10 added") && first.output.contains("Nothing was done")
                && first.output.contains("add         bird/bird-001.jpg"))
        #expect(
            !FileManager.default.fileExists(atPath: shop.output)
                && !FileManager.default.fileExists(atPath: shop.state))
        try shop.run("reconcile")
        let files = try shop.files()
        try FileManager.default.removeItem(atPath: "\(shop.photos)/bird")
        let second: Report = try shop.run("reconcile", "--dry-run", "--json").json()
        #expect(second.removed == 1 && second.unchanged == 9)
        #expect(second.plan?.map { "\($0.action) \($0.path)" } == ["remove bird/bird-001.jpg"])
        #expect(try shop.files() == files)
    }

    @Test("two at once on one state folder: the second says so and changes nothing")
    func lock() throws {
        let shop = try Shop(perCategory: 1)
        try shop.run("reconcile")
        let descriptor = open("\(shop.state)/lock", O_RDWR)
        #expect(flock(descriptor, LOCK_EX) == 0)
        let result = try shop.run("reconcile")
        #expect(result.code == 75 && result.errors.contains("another imgrec-agent is working"))
        #expect(try shop.run("status").code == 0)
        close(descriptor)
        #expect(try shop.run("reconcile").code == 0)
    }
}
