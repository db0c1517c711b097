import ArgumentParser

struct ImgrecAgent: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "imgrec-agent",
        abstract: "Keeps a folder of product photos and the recommendations made from them in step.",
        discussion: """
            A first run:

              imgrec-agent init --config shop.toml --images photos --output site/static/recommendations --state state
              imgrec-agent reconcile --config shop.toml
              imgrec-agent gallery --config shop.toml --output review

            Then 'imgrec-agent run' keeps everything up to date while photos come and go.

            Exit codes are those of sysexits.h: 0 done, 64 wrong usage, 65 unreadable photo or damaged data, \
            66 no such file or folder, 69 no model or no running agent, 70 internal error, 71 no process or thread to be had, 73 cannot write, 74 input/output error, \
            75 try again (another run is working, or a confirmation is needed), 78 wrong settings.
            """,
        version: Version.text,
        subcommands: [
            Init.self, Run.self, Reconcile.self, Status.self, Wait.self, Similar.self, Inspect.self,
            Verify.self, Models.self, Evaluate.self,
            GalleryCommand.self, SettingsCommand.self,
        ])
}

enum Version {
    static let text = "0.1.0"
}
