import Foundation
import TestSupport
import Testing

/// A shop whose hook is a script of the test's.
private struct HookedShop {
    let shop: Shop
    var log: String { "\(shop.folder.path)/told" }

    /// - Parameters:
    ///   - script: lines of a shell script, run in the folder above the shop's.
    ///   - publish: lines for the table of settings.
    init(_ script: String, publish: String = "", perCategory: Int = 1) throws {
        shop = try Shop(perCategory: perCategory)
        try write(script)
        try shop.configure(
            """
            [publish]
            hook = ["\(shop.folder.path)/hook.sh", "an argument", "another"]
            \(publish)
            """)
    }

    func write(_ script: String) throws {
        let file = "\(shop.folder.path)/hook.sh"
        try Data("#!/bin/sh\ncd '\(shop.folder.path)'\n\(script)\n".utf8).write(
            to: URL(fileURLWithPath: file), options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file)
    }

    struct Change: Decodable, Hashable {
        let product: String
        let change: String
        let file: String
    }

    /// What runs of the hook were told, each as it was.
    func told() throws -> [[Change]] {
        guard let text = try? String(contentsOfFile: log, encoding: .utf8) else { return [] }
        return try text.components(separatedBy: "--\n").dropLast().map { run in
            try run.split(separator: "\n").map { try JSONDecoder().decode(Change.self, from: Data($0.utf8)) }
        }
    }

    func remove(_ product: String) throws {
        try FileManager.default.removeItem(atPath: "\(shop.photos)/\(product).jpg")
    }
}

/// The part of `status --json` that is of the hook.
private struct HookStatus: Decodable {
    struct Hook: Decodable {
        let waiting: Int
        let isRunning: Bool
        let lastRun: String?
        let trouble: String?
        let failures: Int
    }
    let hook: Hook?
}

@Suite("The hook", .underUsualKernelLimits)
struct HookTests {
    private let tell = "cat >> told; echo -- >> told"

    @Test("is told of each product whose file has changed, once, with its arguments and where the files are")
    func told() throws {
        let hooked = try HookedShop("\(tell); echo \"$IMGREC_OUTPUT|$#|$1|$2\" >> arguments")
        let shop = hooked.shop
        #expect(try shop.run("reconcile").code == 0)
        let products = try shop.published().keys.sorted()
        #expect(try hooked.told().map { $0.map(\.product) } == [products])
        #expect(
            try hooked.told()[0].allSatisfy {
                $0.change == "written" && $0.file == "products/\($0.product).json"
            })
        #expect(
            try String(contentsOfFile: "\(shop.folder.path)/arguments", encoding: .utf8)
                == "\(shop.output)|2|an argument|another\n")
        // Nothing has changed: nothing is told.
        #expect(try shop.run("reconcile").code == 0)
        #expect(try hooked.told().count == 1)
        let before = try shop.files()
        try hooked.remove(products[0])
        #expect(try shop.run("reconcile").code == 0)
        let after = try shop.files()
        let changed = products.dropFirst().filter {
            before["products/\($0).json"] != after["products/\($0).json"]
        }
        let last = try #require(try hooked.told().last)
        #expect(last.filter { $0.change == "removed" }.map(\.product) == [products[0]])
        #expect(last.filter { $0.change == "written" }.map(\.product) == changed)
        // Another form is another file of each.
        try shop.folder.write(
            "shop.toml",
            Array(
                try String(contentsOfFile: shop.settings, encoding: .utf8)
                    .replacing("folder = \"out\"", with: "folder = \"out\"\nlayout = \"sharded\"").utf8))
        #expect(try shop.run("reconcile").code == 0)
        #expect(try hooked.told().last?.map(\.product) == Array(products.dropFirst()))
        #expect(
            try hooked.told().last?.allSatisfy {
                FileManager.default.fileExists(atPath: "\(shop.output)/\($0.file)")
            } == true)
    }

    @Test(
        "that fails is told with the reason, and is told everything again",
        arguments: [
            ("cat > /dev/null; echo 'the disk is on fire' >&2; exit 7", "exit code 7: the disk is on fire"),
            ("kill -SEGV $$", "signal 11"), ("exit 1", "exit code 1"),
        ])
    func failing(script: String, reason: String) throws {
        let hooked = try HookedShop(script)
        let result = try hooked.shop.run("reconcile")
        #expect(result.code == 75)
        #expect(
            result.errors.contains("the hook failed") && result.errors.contains(reason), "\(result.errors)")
        // Files do not wait for the hook.
        let products = try hooked.shop.published().keys.sorted()
        #expect(products.count == 10)
        #expect(try hooked.shop.run("status").output.contains("10 products waiting"))
        try hooked.remove(products[0])
        try hooked.write(tell)
        #expect(try hooked.shop.run("reconcile").code == 0)
        #expect(try hooked.told().map { $0.map(\.product) } == [products])
        #expect(try hooked.shop.run("status").output.contains(": up to date"))
    }

    @Test("that is not there, or reads nothing of a long list, breaks nothing")
    func odd() throws {
        let hooked = try HookedShop("exit 0")
        #expect(try hooked.shop.run("reconcile").code == 0)
        try hooked.remove(try #require(try hooked.shop.published().keys.min()))
        try FileManager.default.removeItem(atPath: "\(hooked.shop.folder.path)/hook.sh")
        let result = try hooked.shop.run("reconcile")
        #expect(result.code == 75 && result.errors.contains("hook.sh could not be run"), "\(result.errors)")
        try hooked.shop.configure("[publish]\nhook = [\"rebuild\"]\n")
        let relative = try hooked.shop.run("reconcile")
        #expect(relative.code == 78 && relative.errors.contains("absolute path"))
    }

    @Test("that takes too long is ended with all that it started")
    func slow() throws {
        let hooked = try HookedShop(
            "sleep 300 & echo $! > child; wait", publish: "timeout_seconds = 1\nsettle_ms = 10")
        let agent = try RunningAgent(hooked.shop)
        try agent.wait()
        func status() throws -> HookStatus.Hook? {
            try (hooked.shop.run("status", "--json").json() as HookStatus).hook
        }
        #expect(try eventually { try status()?.trouble?.contains("publish.timeout_seconds") ?? false })
        let child = try String(contentsOfFile: "\(hooked.shop.folder.path)/child", encoding: .utf8)
        let number = try #require(Int32(child.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(eventually { kill(number, 0) != 0 })
        #expect(agent.log.contains("the hook failed"))
    }

    @Test("that takes too long in a reconcile is ended too, with what does not want to end")
    func slowReconcile() throws {
        let hooked = try HookedShop(
            "trap '' TERM; sleep 300 & echo $! > child; wait; wait", publish: "timeout_seconds = 1")
        let result = try hooked.shop.run("reconcile")
        #expect(result.code == 75 && result.errors.contains("publish.timeout_seconds"), "\(result.errors)")
        let child = try String(contentsOfFile: "\(hooked.shop.folder.path)/child", encoding: .utf8)
        let number = try #require(Int32(child.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(eventually { kill(number, 0) != 0 })
    }

    @Test("that says a line without end is heard, and cut")
    func longLine() throws {
        let hooked = try HookedShop("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo end; cat >told")
        let result = try hooked.shop.run("reconcile")
        #expect(result.code == 0 && result.errors.hasSuffix("hook: end\n"))
        #expect(result.errors.utf8.count < 5000)
        #expect(try String(contentsOfFile: hooked.log, encoding: .utf8).contains("fruit/fruit-001"))
    }

    @Test(
        "one changed line of the table is told as the products whose files it changes; a file that is made anew, too"
    )
    func fewChanges() throws {
        let hooked = try HookedShop(tell)
        let shop = hooked.shop
        #expect(try shop.run("reconcile").code == 0)
        let products = try shop.published().keys.sorted()
        let settings = try String(contentsOfFile: shop.settings, encoding: .utf8)
        try shop.folder.write(
            "products.csv", Array("product,title\n\(products[0]),One\n\(products[1]),Two\n".utf8))
        try shop.folder.write(
            "shop.toml",
            Array(
                settings.replacing(
                    "folder = \"out\"", with: "folder = \"out\"\nattributes = \"products.csv\""
                ).utf8))
        #expect(try shop.run("reconcile").code == 0)
        let before = try shop.files()
        try shop.folder.write(
            "products.csv", Array("product,title\n\(products[0]),One\n\(products[1]),Zwei\n".utf8))
        #expect(try shop.run("reconcile").code == 0)
        let after = try shop.files()
        let changed = products.filter { before["products/\($0).json"] != after["products/\($0).json"] }
        #expect(!changed.isEmpty && changed.count < products.count)
        #expect(try hooked.told().last?.map(\.product) == changed)
        try FileManager.default.removeItem(atPath: "\(shop.output)/products/\(products[3]).json")
        #expect(try shop.run("reconcile").code == 0)
        #expect(try hooked.told().last?.map(\.product) == [products[3]])
        // The component is no product's file.
        let runs = try hooked.told().count
        try shop.folder.write(
            "shop.toml",
            Array(
                settings.replacing(
                    "folder = \"out\"",
                    with: "folder = \"out\"\nattributes = \"products.csv\"\ncomponent = true"
                ).utf8))
        #expect(try shop.run("reconcile").code == 0)
        #expect(try hooked.told().count == runs)
    }

    @Test("changes in a burst are told at once, and never by two at the same time")
    func burst() throws {
        let hooked = try HookedShop(
            """
            mkdir running || echo two >> overlaps
            \(tell)
            sleep 0.5
            rmdir running
            """, publish: "settle_ms = 1500", perCategory: 3)
        let shop = hooked.shop
        let start = ContinuousClock.now
        let agent = try RunningAgent(shop)
        try agent.wait()
        let products = try shop.published().keys.sorted()
        // A first round that takes long publishes what it has meanwhile.
        #expect(try eventually { Set(try hooked.told().joined().map(\.product)) == Set(products) })
        for product in products.prefix(12) {
            try hooked.remove(product)
            usleep(120_000)
        }
        try agent.wait()
        #expect(
            try eventually {
                Set(try hooked.told().joined().filter { $0.change == "removed" }.map(\.product))
                    == Set(products.prefix(12))
            })
        // Each run begins when nothing has changed for settle_ms.
        #expect(try hooked.told().count <= Int((ContinuousClock.now - start) / .milliseconds(1500)))
        #expect(!FileManager.default.fileExists(atPath: "\(shop.folder.path)/overlaps"))
        #expect(try eventually { try agent.metrics()["hook_runs_total"] ?? 0 >= 2 })
        #expect(try agent.metrics()["hook_failures_total"] == 0)
    }

    @Test(
        "an agent that is killed tells the rest after its start, and does not run beside what it left running"
    )
    func killed() throws {
        let hooked = try HookedShop(
            """
            mkdir running || echo two >> overlaps
            cat > list
            until [ -e go ]; do sleep 0.1; done
            cat list >> told; echo -- >> told
            rmdir running
            """, publish: "settle_ms = 10")
        let shop = hooked.shop
        do {
            let agent = try RunningAgent(shop)
            try agent.wait()
            #expect(eventually { FileManager.default.fileExists(atPath: "\(shop.folder.path)/running") })
            agent.signal(SIGKILL)
        }
        let agent = try RunningAgent(shop)
        #expect(
            try eventually { try shop.run("status").output.contains("one that was begun before still runs") })
        try shop.folder.write("go", [])
        // Nobody noted that the first one was told, so it is told again.
        #expect(try eventually { try hooked.told().count == 2 })
        let products = try shop.published().keys.sorted()
        #expect(try hooked.told().map { $0.map(\.product) } == [products, products])
        #expect(!FileManager.default.fileExists(atPath: "\(shop.folder.path)/overlaps"))
        #expect(try eventually { try shop.run("status").output.contains(": up to date") })
        #expect(agent.stop() == 0)
    }

    @Test("an agent that is asked to stop ends it at once, and it is run again at the next start")
    func stopped() throws {
        let hooked = try HookedShop(
            "mkdir running; trap 'rmdir running; exit 1' TERM; sleep 300 & wait", publish: "settle_ms = 10")
        let shop = hooked.shop
        let agent = try RunningAgent(shop)
        try agent.wait()
        #expect(eventually { FileManager.default.fileExists(atPath: "\(shop.folder.path)/running") })
        #expect(agent.stop() == 0)
        #expect(!FileManager.default.fileExists(atPath: "\(shop.folder.path)/running"))
        #expect(try shop.run("status").output.contains("10 products waiting"))
        try hooked.write(tell)
        let again = try RunningAgent(shop)
        #expect(try eventually { try hooked.told().first?.count == 10 })
        #expect(again.stop() == 0)
    }

    @Test("that failed is run again by itself, with what has changed meanwhile")
    func retried() throws {
        let hooked = try HookedShop("exit 3", publish: "settle_ms = 10\nretry_seconds = 1")
        let shop = hooked.shop
        let agent = try RunningAgent(shop)
        try agent.wait()
        let products = try shop.published().keys.sorted()
        func status() throws -> HookStatus.Hook? {
            try (shop.run("status", "--json").json() as HookStatus).hook
        }
        #expect(try eventually { try status()?.failures ?? 0 >= 2 })
        #expect(try status()?.trouble?.contains("exit code 3") == true)
        try hooked.remove(products[0])
        try agent.wait()
        try hooked.write(tell)
        #expect(try eventually { try status()?.waiting == 0 })
        #expect(try status()?.trouble == nil)
        #expect(try hooked.told().last?.map(\.product) == products)
        #expect(try hooked.told().last?.first?.change == "removed")
    }
}
