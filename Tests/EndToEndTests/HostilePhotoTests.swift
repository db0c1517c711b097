import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Photos that somebody else made", .serialized, .underUsualKernelLimits)
struct HostilePhotoTests {
    private let manager = FileManager.default

    private func failures(_ shop: Shop) throws -> [String: String] {
        let report: Report = try shop.run("reconcile", "--json").json()
        return Dictionary(uniqueKeysWithValues: report.failed.map { ($0.path, $0.reason) })
    }

    /// A photo that takes long to decode, far beyond a second: all of its scans lead over 99 megapixels.
    private func addSlowPhoto(_ shop: Shop, _ name: String) throws {
        try shop.folder.write("photos/\(name)", try Repository.fixture("slow/slow.jpg"))
    }

    @Test("one that takes too long costs that photo; the others go on, and the process is replaced")
    func slow() throws {
        let shop = try Shop(perCategory: 3, extra: "[workers]\ntimeout_seconds = 1\n")
        try addSlowPhoto(shop, "aa-slow.jpg")
        let failed = try failures(shop)
        #expect(failed.keys.sorted() == ["aa-slow.jpg"])
        #expect(failed["aa-slow.jpg"]?.contains("longer than workers.timeout_seconds = 1") == true)
        #expect(manager.fileExists(atPath: "\(shop.output)/products/bird/bird-001.json"))
        try manager.removeItem(atPath: "\(shop.photos)/aa-slow.jpg")
        #expect(try failures(shop).isEmpty)
        #expect(try shop.files() == (try shop.cleanRun()))
    }

    @Test("one that needs too much memory costs that photo")
    func large() throws {
        let shop = try Shop(perCategory: 1, extra: "[workers]\nmemory_bytes = 67_108_864\n")
        try addSlowPhoto(shop, "large.jpg")
        #expect(try failures(shop)["large.jpg"]?.contains("workers.memory_bytes") == true)
    }

    @Test("where the process that reads it is lost, the photo is tried again, and in the end left")
    func lost() throws {
        let patient = "[workers]\ntimeout_seconds = 600\n"
        let shop = try Shop(perCategory: 1, extra: patient)
        let agent = try RunningAgent(shop)
        try agent.wait()
        let names = (0..<3).map { "slow-\($0).jpg" }
        for name in names { try addSlowPhoto(shop, name) }
        // Whatever reads photos of this agent crashes, until all were left; what has not begun is let begin (it is contained then).
        let crasher = try Shop.start([
            "sh", "-c",
            """
            while sleep 0.3; do for process in $(pgrep -P \(agent.process.processIdentifier)); do
            grep -q '^Seccomp:.*2' /proc/$process/status 2>/dev/null && kill -SEGV $process; done; done
            """,
        ])
        defer { crasher.process.terminate() }
        #expect(
            try eventually { try agent.status().failed.map(\.path) == names }, "\(agent.log)")
        #expect(try agent.status().failed.allSatisfy { $0.reason.contains("crashed (Segmentation fault)") })
        crasher.process.terminate()
        crasher.process.waitUntilExit()
        // The agent lives, and follows what comes.
        try manager.copyItem(
            atPath: "\(Repository.catalogue)/bird/bird-020.jpg", toPath: "\(shop.photos)/new.jpg")
        #expect(eventually { manager.fileExists(atPath: "\(shop.output)/products/new.json") })
        // They were young: as nobody is to blame any more, the next tries succeed.
        #expect(try eventually { try agent.status().failed.isEmpty })
        try agent.wait()
        #expect(try shop.files() == (try shop.cleanRun(extra: patient)))
    }

    @Test(
        "200 hostile photos among 1,000 good ones are named with reasons, and change nothing of the good ones"
    )
    func folder() throws {
        let shop = try Shop(perCategory: nil)
        try shop.multiply(to: 1000)
        let agent = try RunningAgent(shop)
        try agent.wait()
        let before = try shop.files()
        let process = try agent.status().running?.processID
        #expect(before.count == 1001)

        let seed: UInt64 = 200
        var random = SeededRandom(seed: seed)
        let formats = ["photo-0.jpg", "rgb.png", "lossless.webp", "plain.avif", "plain.heic", "plain.gif"]
        var hostile: Set<String> = []
        func add(_ name: String, _ bytes: some Sequence<UInt8>) throws {
            hostile.insert(name)
            try shop.folder.write("photos/\(name)", bytes)
        }
        for index in 0..<60 {
            let name = formats[index % formats.count]
            let bytes = try Repository.fixture("imaging/\(name)")
            try add("h/cut-\(index).jpg", bytes.prefix(Int.random(in: 1..<bytes.count / 2, using: &random)))
        }
        for index in 0..<60 {
            // Flipped bits where they are sure to be noticed: PNG has checksums over everything.
            var bytes = try Repository.fixture("imaging/rgb.png")
            for _ in 0..<8 {
                bytes[Int.random(in: 8..<bytes.count - 12, using: &random)] ^=
                    1 << UInt8.random(in: 0...7, using: &random)
            }
            try add("h/flip-\(index).png", bytes)
        }
        for index in 0..<20 {
            var bytes = try Repository.fixture("imaging/plain.gif")
            for offset in 6..<10 { bytes[offset] = 0xFF }
            try add("h/bomb-\(index).gif", bytes)
        }
        for index in 0..<30 {
            let name = ["scan.tiff", "old.bmp", "noise.jpg"][index % 3]
            try add(
                "h/name-\(index).\(["jpg", "png", "webp"][index % 3])",
                try Repository.fixture("broken/\(name)"))
        }
        for index in 0..<15 {
            hostile.insert("h/pipe-\(index).jpg")
            #expect(mkfifo("\(shop.photos)/h/pipe-\(index).jpg", 0o644) == 0)
            hostile.insert("h/link-\(index).jpg")
            try manager.createSymbolicLink(
                atPath: "\(shop.photos)/h/link-\(index).jpg", withDestinationPath: "/etc/passwd")
        }
        #expect(hostile.count == 200)
        #expect(
            try eventually { try Set(agent.status().failed.map(\.path)) == hostile },
            "seed \(seed)")
        #expect(try agent.status().failed.allSatisfy { $0.reason.count > 10 })
        // Not one file of a good photo is other than it was.
        #expect(try shop.files() == before)
        #expect(try agent.status().running?.processID == process)
        #expect(!agent.log.contains("Fatal"))
        #expect(agent.stop() == 0)
    }

    @Test("half a photo is tried again while it is young, also where the rest comes unreported")
    func half() throws {
        let shop = try Shop(perCategory: 1)
        let agent = try RunningAgent(shop)
        try agent.wait()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(Repository.catalogue)/bird/bird-020.jpg"))
        // Written by another name of the same file, outside the folder, of which inotify tells nothing.
        let outside = "\(shop.folder.path)/outside.jpg"
        try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: outside))
        #expect(link(outside, "\(shop.photos)/half.jpg") == 0)
        #expect(try eventually { try agent.status().failed.map(\.path) == ["half.jpg"] })
        #expect(try agent.status().running?.state == "idle")
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: outside))
        try handle.seekToEnd()
        try handle.write(contentsOf: bytes.dropFirst(bytes.count / 2))
        try handle.close()
        #expect(
            eventually { manager.fileExists(atPath: "\(shop.output)/products/half.json") })
        #expect(agent.log.components(separatedBy: "failed half.jpg").count == 2, "\(agent.log)")
        try agent.wait()
        #expect(try shop.files() == (try shop.cleanRun()))
    }

    @Test("links are followed where that is allowed, and never out of the folder")
    func links() throws {
        let shop = try Shop(perCategory: 2)
        try shop.folder.write("outside.jpg", [1, 2, 3])
        func link(_ name: String, to target: String) throws {
            try manager.createSymbolicLink(atPath: "\(shop.photos)/\(name)", withDestinationPath: target)
        }
        try link("inside.jpg", to: "bird/bird-001.jpg")
        try link("absolute.jpg", to: "\(shop.photos)/bird/bird-002.jpg")
        try link("outside.jpg", to: "../outside.jpg")
        try link("system.jpg", to: "/etc/passwd")
        try link("process.jpg", to: "/proc/self/mem")
        try link("nowhere.jpg", to: "bird/none.jpg")
        try link("folder.jpg", to: "bird")
        try link("loop.jpg", to: "loop.jpg")
        // Through a link in the middle of the way.
        try link(".up", to: "..")
        try link("through.jpg", to: ".up/outside.jpg")
        try link("zz-hats", to: "bird")
        let refused = try failures(shop)
        #expect(refused.count == 10)
        #expect(refused["inside.jpg"]?.contains("images.follow_links") == true)

        try shop.configure("", images: "follow_links = true\n")
        let followed = try failures(shop)
        #expect(
            followed.keys.sorted() == [
                "folder.jpg", "loop.jpg", "nowhere.jpg", "outside.jpg", "process.jpg",
                "system.jpg", "through.jpg", "zz-hats",
            ])
        for name in ["through.jpg", "outside.jpg", "system.jpg", "process.jpg"] {
            #expect(followed[name]?.contains("leads out of the image folder") == true, "\(name)")
        }
        for name in ["inside", "absolute"] {
            #expect(manager.fileExists(atPath: "\(shop.output)/products/\(name).json"))
        }

        // What a link leads to changes, and so does the link's own product.
        let agent = try RunningAgent(shop)
        try agent.wait()
        let before = try shop.files()["products/inside.json"]
        try manager.removeItem(atPath: "\(shop.photos)/bird/bird-001.jpg")
        try manager.copyItem(
            atPath: "\(Repository.catalogue)/flower/flower-020.jpg",
            toPath: "\(shop.photos)/bird/bird-001.jpg")
        #expect(try eventually { try shop.files()["products/inside.json"] != before })
        #expect(try eventually { try agent.status().running?.state == "idle" })
        #expect(agent.stop() == 0)
    }

    @Test("each format is read, whatever its name, and its colours and orientation are as a person sees them")
    func formats() throws {
        let shop = try Shop(perCategory: 2)
        let names = [
            "cmyk-profile.jpg", "p3-in-chunks.jpg", "arithmetic.jpg", "p3.png", "rgba-16-interlaced.png",
            "p3.webp", "animated.webp", "transparent.gif", "plain.avif", "orientation-6.avif", "plain.heic",
            "10-bit.heic",
        ]
        for (index, name) in names.enumerated() {
            // A name that says something else.
            try shop.folder.write(
                "photos/f\(index).\(["jpg", "png", "webp", "heif"][index % 4])",
                try Repository.fixture("imaging/\(name)"))
        }
        #expect(try failures(shop).isEmpty)
        let index = try #require(try shop.files()["index.json"])
        let text = String(decoding: index, as: UTF8.self)
        for number in names.indices { #expect(text.contains("\"f\(number)\"")) }
    }

    @Test("inspect says what a photo is and shows what the network sees")
    func inspect() throws {
        let shop = try Shop(
            perCategory: 1, extra: "[picture]\nfit = \"pad\"\ntrim = \"on\"\nbackground = \"#102030\"\n")
        let photo = "\(Repository.fixtures)/imaging/studio-0.png"
        let result = try shop.run("inspect", photo, "--png", "\(shop.folder.path)/seen.png")
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.output.contains("format       PNG"))
        #expect(result.output.contains("trimmed to   "))
        #expect(
            result.output.contains(
                "seen as      224 x 224, pad, bicubic, trim 16 0.05, on #102030 (by the settings)"))
        let seen = try Data(contentsOf: URL(fileURLWithPath: "\(shop.folder.path)/seen.png"))
        #expect(seen.starts(with: [0x89, 0x50, 0x4E, 0x47]))
        struct Output: Decodable {
            struct Description: Decodable {
                let format: String
                let orientation: Int
                let profile: String?
            }
            let description: Description
        }
        let turned: Output = try shop.run(
            "inspect", "\(Repository.fixtures)/imaging/orientation-6.jpg", "--json"
        ).json()
        #expect(turned.description.format == "JPEG" && turned.description.orientation == 6)
        let wide = try shop.run("inspect", "\(Repository.fixtures)/imaging/p3.heic").output
        #expect(wide.contains("format       HEIC") && wide.contains("imgrec test profile"))
        let broken = try shop.run("inspect", "\(Repository.fixtures)/broken/scan.tiff")
        #expect(broken.code == 65 && broken.errors.contains("TIFF is not supported; convert it to"))
        #expect(try shop.run("inspect", "/nowhere.jpg").code == 66)
    }

    @Test("another fit or background embeds every photo anew, and back again")
    func otherFit() throws {
        let shop = try Shop(perCategory: 2)
        try shop.run("reconcile")
        let first = try shop.files()
        try shop.configure("[picture]\nfit = \"pad\"\n")
        let padded: Report = try shop.run("reconcile", "--json").json()
        #expect(padded.embedded == 20 && padded.modelChanged == 20)
        #expect(try shop.files() != first)
        try shop.configure("")
        try shop.run("reconcile")
        #expect(try shop.files() == first)
    }

    @Test("failed photos are on the review page, with their reasons")
    func gallery() throws {
        let shop = try Shop(perCategory: 1)
        try shop.folder.write("photos/broken.jpg", [0xFF, 0xD8, 0xFF, 0xE0])
        try shop.run("reconcile")
        let review = "\(shop.folder.path)/review"
        #expect(try shop.run("gallery", "--output", review).code == 0)
        let text = try String(contentsOfFile: "\(review)/data.js", encoding: .utf8)
        #expect(text.contains("[\"broken.jpg\",\"the picture is damaged"))
    }

    @Test("without a sandbox nothing starts, unless the settings say so, which status shows")
    func refusesWithoutSandbox() throws {
        let shop = try Shop(perCategory: 1)
        // Without the calls that set one up, as on a kernel that has none. libseccomp's Python binding is in no
        // Debian package that everybody has; the filter is written by hand (seccomp(2)).
        let withoutSeccomp = ["/usr/bin/python3", "\(Repository.root)/Tests/Reference/without_seccomp.py"]
        let refused = try shop.run("reconcile", under: withoutSeccomp)
        #expect(refused.code == 78, "\(refused.errors)")
        #expect(refused.errors.contains("sandbox = \"off\" in [workers]"))
        #expect(!manager.fileExists(atPath: "\(shop.output)/index.json"))
        let running = try shop.run("run", under: withoutSeccomp)
        #expect(running.code == 78 && running.errors.contains("cannot be contained"))

        try shop.configure("[workers]\nsandbox = \"off\"\n")
        #expect(try shop.run("reconcile", under: withoutSeccomp).code == 0)
        let agent = try RunningAgent(shop, under: withoutSeccomp)
        try agent.wait()
        #expect(try shop.run("status").output.contains("\nsandbox    off\n"))
        #expect(agent.log.contains("photos are read without a sandbox"))
        #expect(agent.stop() == 0)
        try shop.configure("")
        let contained = try RunningAgent(shop)
        #expect(try shop.run("status").output.contains("\nsandbox    seccomp"))
        #expect(contained.stop() == 0)
    }
}
