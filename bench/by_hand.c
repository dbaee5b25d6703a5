/* A guard written by hand, for one table entry and nothing else: what any guard in front of a call costs at least.
   Before the call it looks at a word, behind it at the word again, and counts; as ours does on the closed path. It has no
   breaker, no fuse that may be replaced, no state but closed, no exceptions to judge and nothing to clean up: neither
   guards nor the memory that they count in are ever freed. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdatomic.h>
#include <stddef.h>
#include <structmember.h>

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function;
    _Atomic uint64_t *words; /* the word, and on another cache line the counter */
} Guard;

static PyObject *call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    Guard *guard = (Guard *)self;
    uint64_t word = atomic_load_explicit(&guard->words[0], memory_order_acquire);
    if ((word & 7) != 1) {
        PyErr_SetString(PyExc_RuntimeError, "open");
        return NULL;
    }
    PyObject *result = PyObject_Vectorcall(guard->function, args, nargsf, kwnames);
    if (result != NULL && atomic_load_explicit(&guard->words[0], memory_order_acquire) == word)
        atomic_fetch_add_explicit(&guard->words[8], 1, memory_order_relaxed);
    return result;
}

static PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Guard, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot slots[] = {
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, members},
    {0, NULL},
};
static PyType_Spec spec = {
    "by_hand.Guard", sizeof(Guard), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL, slots,
};

static PyObject *guard(PyObject *module, PyObject *args)
{
    static PyTypeObject *type;
    PyObject *function;
    Py_buffer memory;
    if (!PyArg_ParseTuple(args, "Ow*", &function, &memory))
        return NULL;
    if (type == NULL && (type = (PyTypeObject *)PyType_FromSpec(&spec)) == NULL)
        return NULL;
    Guard *made = (Guard *)type->tp_alloc(type, 0);
    if (made == NULL)
        return NULL;
    made->vectorcall = call;
    made->function = Py_NewRef(function);
    made->words = memory.buf; /* two cache lines; two guards of one memory count in one place */
    atomic_store(&made->words[0], 1);
    return (PyObject *)made;
}

static PyMethodDef methods[] = {{"guard", guard, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "by_hand", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_by_hand(void) { return PyModule_Create(&module); }
