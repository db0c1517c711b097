import Foundation
import TestSupport
import Testing

/// What a running agent does when its state is taken away, and what of its work is on the disk.
@Suite("The catalogue and the disk", .underUsualKernelLimits)
struct CatalogueLossTests {
    private let manager = FileManager.default

    @Test(
        "a catalogue that is deleted under a running agent ends it with a message, and the next start tells the hook all"
    )
    func deleted() throws {
        let shop = try Shop(perCategory: 1)
        try shop.folder.write("hook.sh", Array("#!/bin/sh\ncat >>'\(shop.folder.path)/told'\n".utf8))
        try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(shop.folder.path)/hook.sh")
        try shop.configure("[publish]\nhook = [\"\(shop.folder.path)/hook.sh\"]\nsettle_ms = 10\n")
        let agent = try RunningAgent(shop)
        try agent.wait()
        #expect(try eventually { try shop.run("status").output.contains(": up to date") })
        // In trouble, which has what was opened given up.
        try manager.createDirectory(
            atPath: "\(shop.output)/products/x.json/x", withIntermediateDirectories: true)
        try manager.copyItem(
            atPath: "\(Repository.catalogue)/bird/bird-002.jpg", toPath: "\(shop.photos)/x.jpg")
        #expect(try eventually { try agent.status().running?.trouble?.contains("x.json") == true })
        for name in ["catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm"] {
            try manager.removeItem(atPath: "\(shop.state)/\(name)")
        }
        try manager.removeItem(atPath: "\(shop.output)/products/x.json")
        #expect(eventually { !agent.process.isRunning })
        #expect(agent.process.terminationStatus == 74)
        #expect(agent.log.contains("catalogue.sqlite was deleted or replaced while the agent was running"))

        try manager.removeItem(atPath: "\(shop.folder.path)/told")
        let again = try RunningAgent(shop)
        #expect(try again.wait().code == 0)
        #expect(try shop.files() == shop.cleanRun())
        #expect(
            eventually {
                let told = (try? String(contentsOfFile: "\(shop.folder.path)/told", encoding: .utf8)) ?? ""
                return told.split(separator: "\n").count == 11
            })
    }

    @Test(
        "whatever is asked of an agent whose catalogue was deleted, the answer says so, and the agent ends",
        arguments: [["models", "prune"], ["status"], ["wait"], ["reconcile"]])
    func asked(command: [String]) throws {
        let shop = try Shop(perCategory: 1)
        let agent = try RunningAgent(shop)
        try agent.wait()
        try manager.removeItem(atPath: "\(shop.state)/catalogue.sqlite")
        let result = try Shop.run([Shop.binary] + command + ["--config", shop.settings])
        #expect(result.code == 74 && result.errors.contains("was deleted or replaced"), "\(result.errors)")
        #expect(eventually { !agent.process.isRunning })
        #expect(agent.process.terminationStatus == 74)
    }

    @Test(
        "a photo with other content and the same size and time is read again, also after rounds that failed")
    func forced() throws {
        let shop = try Shop(perCategory: 2)
        let agent = try RunningAgent(shop)
        try agent.wait()
        // Another picture with as many bytes: a comment makes up the difference.
        let path = "\(shop.photos)/bird/bird-001.jpg"
        let own = try Data(contentsOf: URL(fileURLWithPath: path))
        let smaller = try Repository.photos.lazy.map {
            try Data(contentsOf: URL(fileURLWithPath: "\(Repository.catalogue)/\($0)"))
        }.first { $0.count + 4 <= own.count }
        let other = try #require(smaller)
        let gap = own.count - other.count - 2
        let replaced =
            other.prefix(2) + [0xFF, 0xFE, UInt8(gap >> 8), UInt8(gap & 0xFF)]
            + Data(repeating: 0x20, count: gap - 2) + other.dropFirst(2)
        #expect(replaced.count == own.count)

        try manager.createDirectory(
            atPath: "\(shop.output)/products/x.json/x", withIntermediateDirectories: true)
        try manager.copyItem(
            atPath: "\(Repository.catalogue)/bird/bird-012.jpg", toPath: "\(shop.photos)/x.jpg")
        #expect(try eventually { try agent.status().running?.trouble?.contains("x.json") == true })
        // From now on rounds fail before they read a photo: what lies in the output folder is somebody else's.
        func troubles() throws -> Int { try agent.metrics()["troubles_total"] ?? 0 }
        func waitForTroubles(_ count: Int) throws {
            let before = try troubles()
            #expect(try eventually { try troubles() >= before + count })
        }
        let index = "\(shop.output)/index.json"
        let bytes = try Data(contentsOf: URL(fileURLWithPath: index))
        try Data("mine".utf8).write(to: URL(fileURLWithPath: index))
        try waitForTroubles(1)
        #expect(try agent.status().running?.trouble?.contains("index.json") == true)
        var times = stat()
        #expect(stat(path, &times) == 0)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.write(contentsOf: replaced)
        #expect(futimens(file.fileDescriptor, [times.st_atim, times.st_mtim]) == 0)
        try file.close()
        // It is among what a round takes on that fails, and then another.
        try waitForTroubles(2)
        try bytes.write(to: URL(fileURLWithPath: index))
        try manager.removeItem(atPath: "\(shop.output)/products/x.json")
        #expect(try eventually { try agent.status().running?.state == "idle" })
        #expect(try agent.wait().code == 0)
        #expect(try shop.files() == shop.cleanRun())
    }

    // MARK: A power cut

    /// Compiled once: what of the catalogue a disk has that keeps nothing but what it was told to (Tests/PowerCut).
    private static let shim = Result { () throws -> (TemporaryFolder, String) in
        let folder = try TemporaryFolder()
        let library = "\(folder.path)/power_cut.so"
        let source = "\(Repository.root)/Tests/PowerCut/power_cut.c"
        try Shop.compile(source, to: library, "-shared -fPIC")
        return (folder, library)
    }

    @Test(
        "after a power cut that undoes all that was not flushed, no file stays of a product that is gone",
        arguments: [1, 2, 5, 12, 13, 14])
    func powerCut(renames: Int) throws {
        let (_, library) = try Self.shim.get()
        let shop = try Shop(perCategory: 1)
        #expect(try shop.run("reconcile").code == 0)
        for number in 0..<4 {
            try manager.copyItem(
                atPath: "\(Repository.catalogue)/fruit/fruit-0\(number + 10).jpg",
                toPath: "\(shop.photos)/new-\(number).jpg")
        }
        let disk = "\(shop.folder.path)/disk"
        try manager.createDirectory(atPath: disk, withIntermediateDirectories: true)
        // What there is when the machine is started is on the disk.
        for name in ["catalogue.sqlite", "catalogue.sqlite-wal"] {
            try manager.copyItem(atPath: "\(shop.state)/\(name)", toPath: "\(disk)/\(name)")
        }
        // The machine loses its power when so many files have got their names.
        let cut = try shop.run(
            "reconcile",
            under: [
                "env", "LD_PRELOAD=\(library)", "POWER_CUT_DISK=\(disk)", "POWER_CUT_OUTPUT=\(shop.output)",
                "POWER_CUT_RENAMES=\(renames)",
            ])
        #expect(
            cut.code == SIGKILL, "it was over after fewer than \(renames) files: \(cut.output)\(cut.errors)")
        let published = try shop.files().keys.filter { $0.hasPrefix("products/new-") }
        try manager.removeItem(atPath: "\(shop.state)/catalogue.sqlite-shm")
        for name in ["catalogue.sqlite", "catalogue.sqlite-wal"] {
            try manager.removeItem(atPath: "\(shop.state)/\(name)")
            try manager.copyItem(atPath: "\(disk)/\(name)", toPath: "\(shop.state)/\(name)")
        }
        // The photos go before it is started again.
        for number in 0..<4 { try manager.removeItem(atPath: "\(shop.photos)/new-\(number).jpg") }
        #expect(try shop.run("reconcile").code == 0)
        #expect(try shop.files() == shop.cleanRun(), "\(published) had been published")
    }
}
