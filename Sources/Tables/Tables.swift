// Tables: what a shop writes in spreadsheets, read. A file's name comes in; columns and rows come out, or why not.
//
// A table may lie on a disk that does not answer. A command may wait for it, whoever runs it can end that; the running agent
// has a process of its own look (`PatientTableFiles`), and goes on with what it knows.
