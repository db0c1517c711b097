import Foundation
import Glibc
import TestSupport
import Testing

@Suite(
    "The running agent where the kernel reports too little", .serialized, .underLoweredKernelLimits,
    .enabled(
        if: geteuid() == 0,
        "SKIPPED, NOT TESTED: the kernel's limits of inotify may be lowered, and folders mounted, by root only. Run the tests as root."
    ))
struct KernelLimitTests {
    private let manager = FileManager.default

    private func copy(_ name: String, to path: String) throws {
        try manager.copyItem(atPath: "\(Repository.catalogue)/\(name)", toPath: path)
    }

    private func expectCleanRun(_ shop: Shop) throws {
        #expect(try shop.files() == (try shop.cleanRun()))
    }

    @Test("reports that the kernel throws away are made up for by comparing the folder")
    func overflow() throws {
        let lowered = try #require(KernelSetting("max_queued_events", 16))
        let shop = try Shop(perCategory: 3)
        let agent = try RunningAgent(shop)
        try agent.wait()
        try Shop.run([
            "sh", "-c",
            "cd '\(shop.photos)'; for n in $(seq 300); do cp bird/bird-001.jpg $n.jpg; mkdir -p d$n; cp fruit/fruit-001.jpg d$n/a.jpg; done; rm -r d1*; for n in $(seq 100); do mv $n.jpg m$n.jpg; done",
        ])
        // Faster than anybody could follow.
        for number in 0..<20_000 {
            let name = "\(shop.photos)/t\(number % 50).jpg"
            close(open(name, O_CREAT | O_WRONLY, 0o644))
            if number % 3 == 0 { rename(name, "\(shop.photos)/u\(number % 20).jpg") }
            if number % 2 == 0 { unlink(name) }
        }
        #expect(try agent.wait().code == 0)
        #expect(try agent.status().running!.watches.overflows > 0)
        try expectCleanRun(shop)
        withExtendedLifetime(lowered) {}
    }

    /// What other programs of this user watch.
    private static func watchesInUse() -> Int {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.filter { Int($0) != nil }.reduce(0) { sum, process in
            var owner = stat()
            guard stat("/proc/\(process)", &owner) == 0, owner.st_uid == geteuid() else { return sum }
            let folder = "/proc/\(process)/fdinfo"
            let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return files.reduce(sum) {
                let text = (try? String(contentsOfFile: "\(folder)/\($1)", encoding: .utf8)) ?? ""
                return $0 + text.split(separator: "\n").count { $0.hasPrefix("inotify wd:") }
            }
        }
    }

    @Test("folders for which the kernel allows no watch are polled, which log and status say once")
    func watchesExhausted() throws {
        let shop = try Shop(perCategory: 1, extra: "[watch]\npoll_seconds = 1\n")
        let lowered = try #require(KernelSetting("max_user_watches", Self.watchesInUse() + 5))
        let agent = try RunningAgent(shop)
        try agent.wait()
        let watches = try #require(try agent.status().running).watches
        #expect(watches.unwatched.count >= 6)
        #expect(agent.log.components(separatedBy: "sysctl fs.inotify.max_user_watches=").count == 2)
        for category in try manager.contentsOfDirectory(atPath: shop.photos) {
            try copy("bird/bird-020.jpg", to: "\(shop.photos)/\(category)/new.jpg")
        }
        #expect(
            try eventually {
                try manager.contentsOfDirectory(atPath: shop.photos).allSatisfy {
                    manager.fileExists(atPath: "\(shop.output)/products/\($0)/new.json")
                }
            })
        withExtendedLifetime(lowered) {}
    }

    @Test("where not even the image folder can be watched, everything is polled")
    func unwatchable() throws {
        let lowered = try #require(KernelSetting("max_user_watches", 0))
        let shop = try Shop(perCategory: 1, extra: "[watch]\npoll_seconds = 1\n")
        let agent = try RunningAgent(shop)
        try agent.wait()
        #expect(try agent.status().running?.watches.used == 0)
        try copy("bird/bird-020.jpg", to: "\(shop.photos)/bird/new.jpg")
        #expect(eventually { manager.fileExists(atPath: "\(shop.output)/products/bird/new.json") })
        #expect(agent.log.components(separatedBy: "sysctl fs.inotify.max_user_watches=").count == 2)
        withExtendedLifetime(lowered) {}
    }

    @Test("a folder on a file system that does not report what others change is polled, and says so")
    func remote() throws {
        // FUSE, as sshfs is: what is changed behind the mount is not reported at it.
        let shop = try Shop(perCategory: 1, extra: "[watch]\npoll_seconds = 1\n")
        let behind = "\(shop.folder.path)/behind"
        #expect(rename(shop.photos, behind) == 0)
        try manager.createDirectory(atPath: shop.photos, withIntermediateDirectories: true)
        let mount = try Shop.start(["bindfs", "-f", "--no-allow-other", behind, shop.photos])
        defer {
            _ = try? Shop.run(["umount", "--lazy", shop.photos])
            mount.process.waitUntilExit()
        }
        try #require(eventually { manager.fileExists(atPath: "\(shop.photos)/bird") })
        let agent = try RunningAgent(shop)
        try agent.wait()
        let reason = try agent.status().running?.watches.pollReason
        #expect(reason == "the image folder is on FUSE, which does not report what other hosts change")
        #expect(agent.log.contains("compared every 1 s instead"))
        try copy("bird/bird-020.jpg", to: "\(behind)/bird/new.jpg")
        #expect(eventually { manager.fileExists(atPath: "\(shop.output)/products/bird/new.json") })
        try manager.removeItem(atPath: "\(behind)/bird/new.jpg")
        #expect(eventually { !manager.fileExists(atPath: "\(shop.output)/products/bird/new.json") })
        #expect(agent.stop() == 0)
    }
}
