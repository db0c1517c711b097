import PhotoReading
import Tables

@main
enum Main {
    static func main() async {
        // A process for reading photos: it gives up what it can before there is a second thread.
        if PhotoWorkerMain.isWanted(CommandLine.arguments) { PhotoWorkerMain.run() }
        if TableWorkerMain.isWanted(CommandLine.arguments) { TableWorkerMain.run() }
        await ImgrecAgent.main()
    }
}
