import Foundation
import TestSupport
import Testing

@Suite(
    "The installed service under a real systemd", .serialized, .underUsualKernelLimits,
    .enabled(if: Container.obstacle == nil, Comment(rawValue: Container.obstacle ?? "")))
struct SystemdTests {
    private let output = "/srv/shop/recommendations"

    @Test("systemd knows every line of the units, and rates them as 1.5 or less")
    func units() throws {
        let container = try Container()
        for unit in ["imgrec-agent.service", "imgrec-agent@shop.service"] {
            try container.run("systemd-analyze verify --recursive-errors=one --man=no \(unit)")
            try container.run("systemd-analyze security --threshold=15 --no-pager \(unit)")
        }
    }

    @Test("a site is rebuilt after each change, also one during a build, and after a build that failed")
    func rebuilding() throws {
        let container = try Container()
        try container.run("systemctl start imgrec-agent; imgrec-agent wait --published --quiet")
        let unit = try container.run(
            "systemd-escape --path --template imgrec-agent-published@.service '\(output)'")
        let path = unit.replacing(".service", with: ".path")
        try container.run("systemd-analyze verify --man=no '\(unit)' '\(path)'")
        // As the shop's own user; the second build fails, and each takes a while.
        try container.run(
            """
            useradd --create-home shop
            cat >/usr/local/bin/rebuild-site <<'END'
            #!/bin/bash -e
            cd
            sleep 2
            echo "$(id -un) $(sha256sum <\(output)/index.json | cut -c 1-64)" >>builds
            [ "$(wc -l <builds)" != 2 ] || exit 1
            cp \(output)/index.json site
            END
            chmod +x /usr/local/bin/rebuild-site
            mkdir -p '/etc/systemd/system/\(unit).d'
            printf '[Service]\\nUser=shop\\nRestartSec=1\\n' >'/etc/systemd/system/\(unit).d/shop.conf'
            systemctl daemon-reload
            systemctl enable --now '\(path)'
            """)
        func isBuilt() throws -> Bool {
            try container.attempt("cmp \(output)/index.json /home/shop/site").code == 0
        }
        func builds() throws -> [String] {
            try container.run("cat /home/shop/builds").split(separator: "\n").map(String.init)
        }
        // What was published before the unit was enabled, at the latest after the next start of the machine.
        try container.run("systemctl start --no-block '\(unit)'")
        #expect(try eventually { try isBuilt() })
        #expect(try builds().count == 1 && builds()[0].hasPrefix("shop "))
        // One that fails is tried again.
        try container.run("cp '\(Container.catalogue)/flower/flower-001.jpg' /srv/shop/photos/new.jpg")
        try container.run("imgrec-agent wait --published --quiet")
        #expect(try eventually { try isBuilt() })
        #expect(try builds().count == 3)
        // A change while one is being built.
        try container.run("rm /srv/shop/photos/new.jpg")
        #expect(try eventually { try container.property("ActiveState", unit) == "active" })
        sleep(3)
        try container.run(
            "mv /srv/shop/photos/bird-001.jpg /srv/shop/photos/bird.jpg; imgrec-agent wait --published --quiet"
        )
        #expect(
            try eventually {
                try isBuilt() && container.property("ActiveState", unit) == "inactive"
            })
        // Nothing changes: nothing is built.
        let count = try builds().count
        try container.run("systemctl reload imgrec-agent; imgrec-agent wait --published --quiet")
        sleep(5)
        #expect(try builds().count == count)
        #expect(try container.property("ActiveState", path) == "active")

        // A folder whose name has to be escaped.
        try container.run(
            """
            mkdir -p '/srv/my-shop/a site'
            echo '{}' >'/srv/my-shop/a site/index.json'
            unit=$(systemd-escape --path --template imgrec-agent-published@.service '/srv/my-shop/a site')
            mkdir -p "/etc/systemd/system/$unit.d"
            printf '[Service]\\nUser=shop\\nEnvironment="REBUILD=cp -t /home/shop /etc/hostname"\\n' >"/etc/systemd/system/$unit.d/shop.conf"
            systemctl daemon-reload
            systemctl enable --now "${unit%.service}.path"
            echo '{"a": 1}' >'/srv/my-shop/a site/index.json'
            """)
        #expect(try eventually { try container.exists("/home/shop/hostname") })
    }

    @Test("the hook runs in the service's sandbox: it may write to the output folder and nowhere else")
    func hook() throws {
        let container = try Container()
        try container.run(
            """
            sed -i 's|^# hook = \\[\\]|hook = ["/bin/sh", "-c", "cat >told; echo outside >/srv/shop/outside \\|\\| echo refused; test ! -e /srv/shop/outside"]|' \
                /etc/imgrec-agent/imgrec-agent.toml
            chmod 777 /srv/shop
            systemctl start imgrec-agent; imgrec-agent wait --published --quiet
            """)
        #expect(
            try eventually {
                try container.run("imgrec-agent status").contains(": up to date, last run")
            })
        #expect(try container.run("wc -l <\(output)/told") == "9")
        #expect(try container.journal().contains("hook: refused"))
    }

    @Test("the units for one shop and for several differ in names only")
    func template() throws {
        func directives(_ file: String) throws -> [Substring] {
            try String(contentsOfFile: "\(Repository.root)/Systemd/\(file)", encoding: .utf8)
                .split(separator: "\n").filter { !$0.hasPrefix("#") }
        }
        let one = try directives("imgrec-agent.service")
        let many = try directives("imgrec-agent@.service").map {
            $0.replacing("/imgrec-agent/%i.toml", with: "/imgrec-agent/imgrec-agent.toml")
                .replacing("Directory=imgrec-agent-%i", with: "Directory=imgrec-agent")
                .replacing(" (%i)", with: "")
        }
        #expect(one == many.map { $0[...] })
    }

    @Test("it starts, follows the photos, tells how it is, reads its settings again, and stops clean")
    func life() throws {
        let container = try Container()
        try container.run("systemctl start imgrec-agent")
        #expect(try container.property("ActiveState") == "active")
        #expect(
            try container.run("stat --format '%a %U %G' /run/imgrec-agent/control.socket")
                == "660 imgrec-agent imgrec-agent")
        try container.run("imgrec-agent wait --published --quiet")
        #expect(try container.exists("\(output)/products/bird-001.json"))
        #expect(try container.property("StatusText") == "9 products")

        try container.run("cp '\(Container.catalogue)/flower/flower-001.jpg' /srv/shop/photos/new.jpg")
        #expect(try eventually { try container.exists("\(output)/products/new.json") })
        #expect(try eventually { try container.property("StatusText") == "10 products" })
        #expect(try container.run("imgrec-agent status").contains("agent      idle (process "))
        // Photos are read by processes that gave up what the service itself may.
        #expect(try container.run("imgrec-agent status").contains("sandbox    seccomp, Landlock "))
        let reader = try container.run("cat /proc/$(pgrep -f '^imgrec-agent read-photos' | head -1)/status")
        #expect(reader.contains("Seccomp_filters:\t2") || reader.contains("Seccomp_filters:\t3"), "\(reader)")
        // A photo that the service's user may not read, and then may.
        try container.run(
            "install -m 600 '\(Container.catalogue)/flower/flower-002.jpg' /srv/shop/photos/locked.jpg")
        #expect(try eventually { try container.run("imgrec-agent status").contains("  locked.jpg: ") })
        try container.run("chmod 644 /srv/shop/photos/locked.jpg")
        #expect(try eventually { try container.exists("\(output)/products/locked.json") })
        try container.run("rm /srv/shop/photos/locked.jpg; imgrec-agent wait --published --quiet")
        // Lines for every photo are of less weight than that it is ready.
        #expect(try container.journal().contains("added new.jpg"))
        let notices = try container.journal("--priority notice")
        #expect(notices.contains("ready") && !notices.contains("added new.jpg"))

        let process = try container.property("MainPID")
        let settings = "/etc/imgrec-agent/imgrec-agent.toml"
        try container.run("sed -i 's/^# count = 5/count = 3/' \(settings); systemctl reload imgrec-agent")
        #expect(try eventually { try container.journal().contains("are in force") })
        try container.run("imgrec-agent wait --published --quiet")
        let document = try container.run("cat \(output)/products/new.json")
        #expect(
            try JSONDecoder().decode(Document.self, from: Data(document.utf8)).recommendations.count == 3)
        try container.run("echo '[images' >>\(settings); systemctl reload imgrec-agent")
        #expect(
            try eventually { try container.journal("--priority err").contains("settings were not changed") })
        try container.run("sed -i '$d' \(settings)")
        #expect(try container.run("imgrec-agent status").contains("settings   not changed: "))
        #expect(try container.property("MainPID") == process)

        let second = try container.attempt("runuser -u imgrec-agent -- imgrec-agent run")
        #expect(second.code == 75 && second.errors.contains("another imgrec-agent is working on"))
        #expect(try container.run("imgrec-agent reconcile").contains("10 unchanged"))

        try container.run("systemctl stop imgrec-agent")
        #expect(try container.property("Result") == "success")
        #expect(try container.property("ExecMainStatus") == "0")
        #expect(try container.property("NRestarts") == "0")
        #expect(try !container.exists("/run/imgrec-agent"))
        #expect(try container.run("imgrec-agent status").contains("not running"))
        // What root wrote, the service could not change.
        let asRoot = try container.attempt("imgrec-agent reconcile")
        #expect(asRoot.code == 77 && asRoot.errors.contains("sudo -u imgrec-agent"))
        try container.run("runuser -u imgrec-agent -- imgrec-agent reconcile")
    }

    @Test("members of its group may look at what it knows, whether it runs or not; others may not")
    func members() throws {
        let container = try Container()
        try container.run(
            """
            useradd --create-home --groups imgrec-agent member
            useradd --create-home stranger
            systemctl start imgrec-agent
            imgrec-agent wait --published --quiet
            """)
        let looks = [
            "status", "similar bird-001", "verify", "models", "evaluate --quiet --labels products",
            "reconcile --dry-run", "gallery --output review",
        ]
        func expectAccess(_ whether: Comment) throws {
            for look in looks {
                let result = try container.attempt(
                    "runuser -u member -- env --chdir=/home/member imgrec-agent \(look)")
                // There is nothing to evaluate in a folder of nine.
                let isFine =
                    result.code == 0
                    || look.hasPrefix("evaluate") && result.errors.contains("have the same label")
                #expect(isFine, "\(whether), \(look): \(result.errors)")
                let refused = try container.attempt(
                    "runuser -u stranger -- env --chdir=/home/stranger imgrec-agent \(look)")
                #expect([69, 77].contains(refused.code), "\(whether), \(look): \(refused.errors)")
            }
            // Nothing was left that the service could not change.
            #expect(try container.run("find /var/lib/imgrec-agent -not -user imgrec-agent") == "", whether)
        }
        try expectAccess("running")
        try container.run("systemctl stop imgrec-agent")
        try expectAccess("stopped")
        // A copy, or what an older version left, has no log beside it, and a member cannot make one.
        try container.run(
            "rm /var/lib/imgrec-agent/catalogue.sqlite-wal /var/lib/imgrec-agent/catalogue.sqlite-shm")
        let lacking = try container.attempt("runuser -u member -- imgrec-agent similar bird-001")
        #expect(lacking.code == 77 && lacking.errors.contains("Start the agent once"), "\(lacking.errors)")
        try container.run("imgrec-agent similar bird-001")
        try container.run("systemctl start imgrec-agent; imgrec-agent wait --published --quiet")
        try expectAccess("running again")
    }

    @Test("when it hangs or is killed it is started again, and what was dropped meanwhile is published")
    func watchdog() throws {
        let container = try Container()
        try container.override("imgrec-agent", "WatchdogSec=3", name: "watchdog")
        try container.run("systemctl start imgrec-agent; imgrec-agent wait --published --quiet")
        // Longer than the watchdog waits: it is told of life although nothing happens.
        sleep(5)
        #expect(try container.property("NRestarts") == "0")

        try container.run("kill -STOP $(systemctl show --property=MainPID --value imgrec-agent)")
        try container.run("cp '\(Container.catalogue)/flower/flower-001.jpg' /srv/shop/photos/hung.jpg")
        #expect(try eventually { try container.exists("\(output)/products/hung.json") })
        #expect(try container.property("NRestarts") == "1")
        #expect(try container.journal().contains("Watchdog timeout"))

        try container.run("kill -KILL $(systemctl show --property=MainPID --value imgrec-agent)")
        try container.run("mv /srv/shop/photos/hung.jpg /srv/shop/photos/killed.jpg")
        #expect(try eventually { try container.exists("\(output)/products/killed.json") })
        #expect(try eventually { try container.property("NRestarts") == "2" })
        #expect(try !container.exists("\(output)/products/hung.json"))
    }

    @Test(
        "the watchdog is told by the thread that works: where that alone hangs, the service is started again")
    func liveness() throws {
        let container = try Container()
        try container.override("imgrec-agent", "WatchdogSec=12", name: "watchdog")
        try container.run("systemctl start imgrec-agent; imgrec-agent wait --published --quiet")
        let before = try #require(Int(try container.property("NRestarts")))
        // Stops one thread and leaves the others running, the control socket's among them, which answers before that ends.
        try container.run(
            """
            cat >/root/freeze <<'X'
            import ctypes, pathlib, subprocess, time
            def name(thread):
                try: return (thread / "comm").read_text()
                except OSError: return ""  # it has just ended
            def works():
                process = subprocess.run(
                    ["systemctl", "show", "--property=MainPID", "--value", "imgrec-agent"],
                    stdout=subprocess.PIPE, text=True).stdout.strip()
                try: threads = list(pathlib.Path(f"/proc/{process}/task").iterdir())
                except OSError: return []
                return [int(one.name) for one in threads if name(one) == "work\\n"]
            tries = (works() for _ in range(300) if not time.sleep(0.1))
            work = next((found[0] for found in tries if found), None) or exit("no thread is called work")
            seize, interrupt = 0x4206, 0x4207
            call = ctypes.CDLL(None, use_errno=True).ptrace
            assert call(seize, work, None, None) == 0 and call(interrupt, work, None, None) == 0
            print("frozen", flush=True)
            time.sleep(20)  # what is traced does not end before its tracer does
            X
            python3 /root/freeze >/root/frozen 2>&1 &
            for _ in $(seq 300); do grep -q frozen /root/frozen && break; sleep 0.1; done
            grep frozen /root/frozen || { cat /root/frozen >&2; exit 1; }
            curl --silent --fail --unix-socket /run/imgrec-agent/control.socket http://agent/healthz
            """)
        #expect(try eventually { (Int(try container.property("NRestarts")) ?? 0) > before })
        #expect(try container.journal().contains("Watchdog timeout"))
        #expect(try eventually { try container.property("ActiveState") == "active" })
    }

    @Test("killed many times in quick succession it starts again each time")
    func killedOften() throws {
        let container = try Container()
        try container.override("imgrec-agent", "RestartSec=100ms", name: "restart")
        try container.run("systemctl start imgrec-agent")
        for count in 1...8 {
            try container.run("systemctl kill --signal=KILL --kill-who=main imgrec-agent")
            #expect(try eventually { try container.property("NRestarts") == "\(count)" })
            #expect(
                try eventually {
                    try container.property("ActiveState") == "active"
                        && container.property("SubState") == "running"
                })
        }
        try container.run("imgrec-agent wait --published --quiet")
    }

    @Test("an output folder that is replaced, which systemd opens at the start only, is written again")
    func outputReplaced() throws {
        let container = try Container()
        try container.run("systemctl start imgrec-agent; imgrec-agent wait --published --quiet")
        try container.run(
            """
            mv \(output) /srv/shop/old
            install -d -o imgrec-agent -g imgrec-agent \(output)
            cp '\(Container.catalogue)/flower/flower-001.jpg' /srv/shop/photos/new.jpg
            """)
        #expect(try eventually { try container.exists("\(output)/products/new.json") })
        // It was due, and is written first; the others are found missing when all are compared.
        #expect(try eventually { try container.exists("\(output)/products/bird-001.json") })
        #expect(try container.journal().contains("it was replaced by another folder"))
    }

    @Test("memory and tasks are limited, and what OpenVINO needs is the only thing that is not forbidden")
    func limits() throws {
        let container = try Container()
        #expect(try container.property("MemoryMax") == "4294967296")
        #expect(try container.property("TasksMax") == "256")
        // The unit says that the network cannot be loaded without it.
        try container.override("imgrec-agent", "MemoryDenyWriteExecute=yes", name: "deny")
        #expect(try container.attempt("systemctl start imgrec-agent").code != 0)
        #expect(try container.journal().contains("OpenVINO"))
        try container.run("systemctl stop imgrec-agent")
    }

    @Test("wrong settings end it for good, with a message")
    func wrongSettings() throws {
        let container = try Container()
        try container.run("echo 'colour = 1' >>/etc/imgrec-agent/imgrec-agent.toml")
        #expect(try container.attempt("systemctl start imgrec-agent").code != 0)
        #expect(try container.property("ExecMainStatus") == "78")
        #expect(try container.property("ActiveState") == "failed")
        #expect(try container.journal("--priority crit").contains("colour"))
        // The output folder that nobody has named to systemd.
        try container.run(
            """
            sed -i '$d' /etc/imgrec-agent/imgrec-agent.toml
            rm /etc/systemd/system/imgrec-agent.service.d/output.conf
            systemctl daemon-reload
            """)
        #expect(try container.attempt("systemctl start imgrec-agent").code != 0)
        #expect(try container.property("ExecMainStatus") == "73")
        #expect(try container.journal().contains("ReadWritePaths="))
    }

    @Test("it can write nowhere but where it has to, and sees no network")
    func sandbox() throws {
        let container = try Container()
        // Says which of the things it tried it could do.
        try container.run(
            """
            install -d -m 1777 /srv/open
            cat >/srv/probe <<'X'
            #!/bin/bash
            for folder in /srv/open /srv/shop/photos /run/lock /dev/shm /var/tmp /srv/shop/recommendations \\
                /var/lib/imgrec-agent /run/imgrec-agent /var/cache/imgrec-agent; do
                touch $folder/probe 2>/dev/null && echo "could: write $folder"
            done
            /usr/bin/python3 -c 'import socket; socket.socket(socket.AF_INET)' 2>/dev/null && echo 'could: socket'
            unshare --user true 2>/dev/null && echo 'could: namespace'
            rm -f /srv/shop/recommendations/probe
            exit 0
            X
            chmod 755 /srv/probe
            chmod 777 /srv/shop/photos
            """)
        let shared = ["write /srv/shop/recommendations"]
        let free = try container.run(
            "systemd-run --quiet --wait --pipe --property=User=imgrec-agent /srv/probe </dev/null")
        let couldFreely = free.split(separator: "\n").map { String($0.dropFirst("could: ".count)) }
        #expect(
            couldFreely == [
                "write /srv/open", "write /srv/shop/photos", "write /run/lock", "write /dev/shm",
                "write /var/tmp",
            ] + shared + ["socket", "namespace"])
        try container.run(
            "rm -f /srv/shop/photos/probe /srv/open/probe /run/lock/probe /dev/shm/probe /var/tmp/probe")

        try container.override("imgrec-agent", "ExecStartPre=/srv/probe", name: "probe")
        try container.run("systemctl start imgrec-agent; imgrec-agent wait --published --quiet")
        let could = try container.journal().split(separator: "\n").filter { $0.hasPrefix("could: ") }
            .map { String($0.dropFirst("could: ".count)) }
        // Its /var/tmp is its own, and gone when it stops.
        #expect(
            could == ["write /var/tmp"] + shared + [
                "write /var/lib/imgrec-agent", "write /run/imgrec-agent", "write /var/cache/imgrec-agent",
            ])
        #expect(try !container.exists("/var/tmp/probe"))

        let process = try container.property("MainPID")
        let interfaces = try container.run("tail -n +3 /proc/\(process)/net/dev | cut -d: -f1 | tr -d ' '")
        #expect(interfaces == "lo")
        #expect(
            try container.run("readlink /proc/\(process)/ns/net") != container.run("readlink /proc/1/ns/net"))
        let status = try container.run("cat /proc/\(process)/status")
        #expect(status.contains("CapBnd:\t0000000000000000"))
        #expect(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"))
    }

    @Test("several shops run beside each other, and what was installed is taken away again")
    func shops() throws {
        let container = try Container()
        // Names that shells and unit files read in their own ways, and settings for an instance.
        try container.makeShop("north shop 50%", settings: "north")
        try container.makeShop("south", settings: "south")
        try container.run("systemctl start imgrec-agent imgrec-agent@north imgrec-agent@south")
        for (shop, settings) in [("shop", "imgrec-agent"), ("north shop 50%", "north"), ("south", "south")] {
            let option = "--config /etc/imgrec-agent/\(settings).toml"
            try container.run("imgrec-agent wait --published --quiet \(option)")
            #expect(try container.exists("/srv/\(shop)/recommendations/products/bird-001.json"), "\(shop)")
        }
        try container.run("systemctl stop imgrec-agent imgrec-agent@north")
        #expect(
            try container.run("imgrec-agent status --config /etc/imgrec-agent/south.toml")
                .contains("agent      idle"))

        try container.run("cd \(Container.tree); Scripts/uninstall")
        #expect(try container.property("ActiveState", "imgrec-agent@south") == "inactive")
        let left = try container.run(
            "find /usr/local /etc /var/lib /srv -path '*imgrec-agent*' -not -path '/etc/systemd/*' -type f | sort"
        )
        #expect(
            left.split(separator: "\n").allSatisfy {
                $0.hasPrefix("/var/lib/imgrec-agent") || $0.hasPrefix("/etc/imgrec-agent/")
            }, "\(left)")
        #expect(try container.attempt("systemctl cat imgrec-agent").code != 0)
    }
}
