/* Writes the models that tests, benchmarks and the documentation use. The same bytes every time.
 *
 *     make_models --list
 *     make_models FOLDER NAME... */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/maker.h"

/* ---- Small nets ---- */

static void make_mlp(maker *m)
{
    input(m, "x", PG_F32, "batch,16");
    output(m, "y", PG_F32, "batch,10");
    add_floats(m, "w0", "16,32", 0, 0.4);
    add_floats(m, "b0", "32", 0, 0.1);
    add_floats(m, "w1", "32,10", 0, 0.3);
    add_floats(m, "b1", "10", 0, 0.1);
    node(m, "Gemm", "x,w0,b0", "h0");
    node(m, "Relu", "h0", "h1");
    node(m, "Gemm", "h1,w1,b1", "h2");
    pg_build_attr_int(&m->arena, node(m, "Softmax", "h2", "y"), "axis", -1);
}

/* Identity, so that small tests need no weights. */
static void make_identity(maker *m)
{
    input(m, "x", PG_F32, "1,3");
    output(m, "y", PG_F32, "1,3");
    node(m, "Identity", "x", "y");
}

static void conv(maker *m, const char *inputs, const char *out, const char *kernel, int64_t pad,
                 int64_t group)
{
    pg_wire_message *n = node(m, "Conv", inputs, out);
    ints(m, n, "kernel_shape", kernel);
    pg_build_attr_ints(&m->arena, n, "pads", 4, (int64_t[]){pad, pad, pad, pad});
    pg_build_attr_int(&m->arena, n, "group", group);
}

static void make_convnet(maker *m)
{
    input(m, "image", PG_F32, "batch,3,height,width");
    output(m, "scores", PG_F32, "batch,5");
    add_floats(m, "w0", "8,3,3,3", 0, 0.3);
    add_floats(m, "w1", "8,1,3,3", 0, 0.5);
    add_floats(m, "w2", "16,8,1,1", 0, 0.4);
    add_floats(m, "b2", "16", 0, 0.1);
    add_floats(m, "scale", "8", 1, 0.2);
    add_floats(m, "shift", "8", 0, 0.2);
    add_floats(m, "mean", "8", 0, 0.2);
    add_floats(m, "variance", "8", 1, 0.2);
    add_floats(m, "w3", "16,5", 0, 0.4);
    conv(m, "image,w0", "c0", "3,3", 1, 1);
    node(m, "BatchNormalization", "c0,scale,shift,mean,variance", "n0");
    node(m, "Relu", "n0", "r0");
    pg_wire_message *pool = node(m, "MaxPool", "r0", "p0");
    ints(m, pool, "kernel_shape", "2,2");
    ints(m, pool, "strides", "2,2");
    conv(m, "p0,w1", "c1", "3,3", 1, 8);
    pg_build_attr_float(&m->arena, node(m, "LeakyRelu", "c1", "r1"), "alpha", 0.1f);
    node(m, "Add", "r1,p0", "a1");
    conv(m, "a1,w2,b2", "c2", "1,1", 0, 1);
    node(m, "HardSwish", "c2", "r2");
    node(m, "GlobalAveragePool", "r2", "g");
    node(m, "Flatten", "g", "f");
    node(m, "MatMul", "f,w3", "scores");
}

static void make_lstm_gru(maker *m)
{
    input(m, "x", PG_F32, "time,batch,8");
    output(m, "y", PG_F32, "time,1,batch,6");
    output(m, "h", PG_F32, "2,batch,10");
    output(m, "c", PG_F32, "2,batch,10");
    add_floats(m, "lw", "2,40,8", 0, 0.3);
    add_floats(m, "lr", "2,40,10", 0, 0.3);
    add_floats(m, "lb", "2,80", 0, 0.1);
    add_floats(m, "gw", "1,18,20", 0, 0.3);
    add_floats(m, "gr", "1,18,6", 0, 0.3);
    add_int64s(m, "flat", "0,0,-1");
    pg_wire_message *lstm = node(m, "LSTM", "x,lw,lr,lb", "ly,h,c");
    pg_build_attr_int(&m->arena, lstm, "hidden_size", 10);
    pg_build_attr_str(&m->arena, lstm, "direction", "bidirectional");
    ints(m, node(m, "Transpose", "ly", "lt"), "perm", "0,2,1,3");
    node(m, "Reshape", "lt,flat", "lf");
    pg_wire_message *gru = node(m, "GRU", "lf,gw,gr", "y");
    pg_build_attr_int(&m->arena, gru, "hidden_size", 6);
    pg_build_attr_int(&m->arena, gru, "linear_before_reset", 1);
}

/* ---- Control flow ---- */

static pg_wire_message *branch(maker *m, const char *name, const char *op, const char *inputs,
                               const char *out, const char *dims)
{
    pg_wire_message *graph = pg_build_graph(&m->arena, name);
    pg_build_node(&m->arena, graph, op, name, inputs, out);
    pg_build_output(&m->arena, graph, out, PG_F32, dims);
    return graph;
}

/* Adds x, or subtracts it, as often as the input says. */
static pg_wire_message *loop_body(maker *m)
{
    pg_wire_message *body = pg_build_graph(&m->arena, "body");
    pg_build_input(&m->arena, body, "i", PG_I64, "");
    pg_build_input(&m->arena, body, "go", PG_BOOL, "");
    pg_build_input(&m->arena, body, "sum", PG_F32, "n");
    pg_build_node(&m->arena, body, "Identity", "keep", "go", "go_on");
    pg_build_node(&m->arena, body, "Mod", "odd", "i,two", "odd");
    pg_wire_message *cast = pg_build_node(&m->arena, body, "Cast", "is_odd", "odd", "is_odd");
    pg_build_attr_int(&m->arena, cast, "to", PG_BOOL);
    pg_wire_message *choose = pg_build_node(&m->arena, body, "If", "choose", "is_odd", "next");
    pg_build_attr_graph(&m->arena, choose, "then_branch", branch(m, "subtract", "Sub", "sum,x", "less", "n"));
    pg_build_attr_graph(&m->arena, choose, "else_branch",
                        branch(m, "add_twice", "Add", "sum,x2", "more", "n"));
    pg_build_output(&m->arena, body, "go_on", PG_BOOL, "");
    pg_build_output(&m->arena, body, "next", PG_F32, "n");
    return body;
}

static void make_control(maker *m)
{
    input(m, "x", PG_F32, "n");
    input(m, "count", PG_I64, "");
    output(m, "y", PG_F32, "n");
    int64_t two = 2;
    bool yes = true;
    float zero = 0;
    add_raw(m, "two", PG_I64, "", &two);
    add_raw(m, "yes", PG_BOOL, "", &yes);
    add_raw(m, "zero", PG_F32, "", &zero);
    node(m, "Add", "x,x", "x2");
    pg_build_attr_graph(&m->arena, node(m, "Loop", "count,yes,x", "sum"), "body", loop_body(m));
    pg_build_attr_int(&m->arena, node(m, "ReduceSum", "sum", "total"), "keepdims", 0);
    node(m, "Greater", "total,zero", "positive");
    pg_wire_message *choose = node(m, "If", "positive", "y");
    pg_wire_message *then = pg_build_graph(&m->arena, "positive");
    pg_build_node(&m->arena, then, "Abs", "abs", "sum", "x4");
    pg_build_node(&m->arena, then, "Sqrt", "root", "x4", "root");
    pg_build_output(&m->arena, then, "root", PG_F32, "n");
    pg_build_attr_graph(&m->arena, choose, "then_branch", then);
    pg_build_attr_graph(&m->arena, choose, "else_branch", branch(m, "negative", "Neg", "sum", "minus", "n"));
}

static void make_sequence(maker *m)
{
    input(m, "x", PG_F32, "n,4");
    pg_build_value(&m->arena, m->graph, PG_PB_GRAPH_OUTPUT, "parts",
                   pg_build_sequence_type(&m->arena, pg_build_tensor_type(&m->arena, PG_F32, "?,4")));
    output(m, "last", PG_F32, "?,4");
    int64_t minus_one = -1;
    add_raw(m, "minus_one", PG_I64, "", &minus_one);
    node(m, "SplitToSequence", "x", "parts");
    node(m, "SequenceAt", "parts,minus_one", "last");
}

/* ---- Types ---- */

static void make_qdq(maker *m)
{
    input(m, "x", PG_F32, "batch,3,8,8");
    output(m, "y", PG_F32, "batch,4,8,8");
    float scale = 0.02f, weight_scale = 0.01f;
    int8_t zero = 0, weights[4 * 3 * 3 * 3];
    uint8_t middle = 128;
    for (size_t i = 0; i < sizeof weights; i++)
        weights[i] = (int8_t)(127 * next_random(m));
    add_raw(m, "scale", PG_F32, "", &scale);
    add_raw(m, "weight_scale", PG_F32, "", &weight_scale);
    add_raw(m, "zero", PG_I8, "", &zero);
    add_raw(m, "middle", PG_U8, "", &middle);
    add_raw(m, "weights", PG_I8, "4,3,3,3", weights);
    node(m, "QuantizeLinear", "x,scale,middle", "xq");
    node(m, "DequantizeLinear", "xq,scale,middle", "xd");
    node(m, "DequantizeLinear", "weights,weight_scale,zero", "wd");
    conv(m, "xd,wd", "c", "3,3", 1, 1);
    node(m, "Relu", "c", "r");
    node(m, "QuantizeLinear", "r,scale,middle", "rq");
    node(m, "DequantizeLinear", "rq,scale,middle", "y");
}

/* Outputs of every type that a Cast makes. */
static void make_types(maker *m)
{
    static const pg_dtype types[] = {PG_F32,    PG_U8,   PG_I8,  PG_U16, PG_I16, PG_I32, PG_I64,
                                     PG_STRING, PG_BOOL, PG_F16, PG_F64, PG_U32, PG_U64};
    input(m, "x", PG_F32, "2,3");
    for (size_t i = 0; i < PG_COUNT(types); i++) {
        char name[32];
        snprintf(name, sizeof name, "y_%s", types[i] == PG_STRING ? "string" : pg_dtype_name(types[i]));
        output(m, name, types[i], "2,3");
        pg_build_attr_int(&m->arena, node(m, "Cast", "x", name), "to", types[i]);
    }
}

/* A weight and an output of every type there is. */
static void make_alltypes(maker *m)
{
    static const char *const texts[] = {"plain", "", "it's", "two\nlines", "tab\t", "\xc3\xa9"};
    uint8_t bytes[6 * 16];
    pg_str strings[6];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(64 * (1 + next_random(m)));
    for (size_t i = 0; i < PG_COUNT(strings); i++)
        strings[i] = pg_str_c(texts[i]);
    for (int type = PG_F32; type < PG_DTYPE_COUNT; type++) {
        char name[32], out[40];
        snprintf(name, sizeof name, "w_%s", type == PG_STRING ? "string" : pg_dtype_name((pg_dtype)type));
        snprintf(out, sizeof out, "y_%s", name + 2);
        for (size_t i = 0; i < 6 && type == PG_BOOL; i++)
            bytes[i] &= 1;
        add_raw(m, name, (pg_dtype)type, "2,3", type == PG_STRING ? (void *)strings : bytes);
        output(m, out, (pg_dtype)type, "2,3");
        node(m, "Identity", name, out);
    }
    m->opset = 25;
}

static void make_function(maker *m)
{
    input(m, "x", PG_F32, "n");
    output(m, "y", PG_F32, "n");
    float half = 0.5f;
    add_raw(m, "half", PG_F32, "", &half);
    node(m, "test.functions::ScaledSquare", "x,half", "s");
    node(m, "test.functions::ScaledSquare", "s,half", "y");
}

static void add_function(maker *m, pg_wire_message *model)
{
    pg_build_opset(&m->arena, model, "test.functions", 1);
    pg_wire_message *function =
        pg_build_function(&m->arena, model, "test.functions", "ScaledSquare", "a,b", "r", m->opset);
    pg_build_node(&m->arena, function, "Mul", "square", "a,a", "sq");
    pg_build_node(&m->arena, function, "Mul", "scale", "sq,b", "r");
}

/* ---- Large ---- */

/* Chains with parts that can be folded and parts that nothing uses. */
static void make_nodes20000(maker *m)
{
    enum { CHAINS = 4000 };
    char in[64] = "x", names[128], out[64];
    input(m, "x", PG_F32, "n,16");
    output(m, "y", PG_F32, "n,16");
    add_floats(m, "w", "16", 1, 0.01);
    add_floats(m, "b", "16", 0, 0.01);
    for (int i = 0; i < CHAINS; i++) {
        char folded[64], dead[64], scaled[64], shifted[64];
        snprintf(folded, sizeof folded, "block%d/folded", i);
        snprintf(dead, sizeof dead, "block%d/dead", i);
        snprintf(scaled, sizeof scaled, "block%d/scaled", i);
        snprintf(shifted, sizeof shifted, "block%d/shifted", i);
        snprintf(out, sizeof out, i + 1 < CHAINS ? "block%d/out" : "y", i);
        node(m, "Add", "w,b", folded);
        snprintf(names, sizeof names, "%s,%s", in, folded);
        node(m, "Mul", names, scaled);
        node(m, "Exp", scaled, dead);
        snprintf(names, sizeof names, "%s,b", scaled);
        node(m, "Sub", names, shifted);
        node(m, "Tanh", shifted, out);
        snprintf(in, sizeof in, "%s", out);
    }
}

enum { SIDE = 1024, BLOCK_BYTES = SIDE * SIDE * 4 };

/* x times many square matrices. */
static void multiply_all(maker *m, int count, pg_str block, const char *location)
{
    char in[32] = "x";
    int64_t dims[] = {SIDE, SIDE};
    input(m, "x", PG_F32, "1,1024");
    output(m, "y", PG_F32, "1,1024");
    for (int i = 0; i < count; i++) {
        char weight[32], out[32], names[80];
        snprintf(weight, sizeof weight, "w%d", i);
        snprintf(out, sizeof out, i + 1 < count ? "h%d" : "y", i);
        pg_wire_message *tensor = location == NULL
                                      ? pg_build_raw_tensor(&m->arena, weight, PG_F32, 2, dims, block)
                                      : pg_build_external_tensor(&m->arena, weight, PG_F32, 2, dims, location,
                                                                 (uint64_t)i * BLOCK_BYTES, BLOCK_BYTES);
        pg_build_weight(&m->arena, m->graph, tensor);
        snprintf(names, sizeof names, "%s,%s", in, weight);
        node(m, "MatMul", names, out);
        snprintf(in, sizeof in, "%s", out);
    }
}

static void make_big500(maker *m)
{
    float *values = PG_ARENA_ARRAY(&m->arena, float, SIDE *SIDE);
    for (size_t i = 0; i < SIDE * SIDE; i++)
        values[i] = (float)(0.05 * next_random(m));
    multiply_all(m, 120, (pg_str){(char *)values, BLOCK_BYTES}, NULL);
}

/* 2.5 GB of weights in a file that takes little room: all zero but for the first number of each matrix. */
static void make_big2500(maker *m)
{
    enum { COUNT = 600 };
    multiply_all(m, COUNT, PG_STR_EMPTY, "big2500.data");
    char *path = pg_arena_printf(&m->arena, "%s/big2500.data", m->folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    float one = 1;
    if (fd < 0 || ftruncate(fd, (off_t)COUNT * BLOCK_BYTES) != 0)
        PG_BUG("could not make '%s'", path);
    for (off_t i = 0; i < COUNT; i++)
        if (pwrite(fd, &one, sizeof one, i * BLOCK_BYTES) != sizeof one)
            PG_BUG("could not write '%s'", path);
    close(fd);
}

static const model_row rows[] = {
    {"identity", "one node", make_identity, NULL},
    {"mlp", "two layers", make_mlp, NULL},
    {"convnet", "convolutions, normalisation, pooling", make_convnet, NULL},
    {"lstm_gru", "recurrent layers", make_lstm_gru, NULL},
    {"control", "Loop, and If inside and outside of it", make_control, NULL},
    {"sequence", "a sequence as output", make_sequence, NULL},
    {"qdq", "8-bit weights and activations between Q and DQ nodes", make_qdq, NULL},
    {"types", "one output of each type that runtimes return", make_types, NULL},
    {"alltypes", "one weight and output of every element type", make_alltypes, NULL},
    {"function", "a local function", make_function, add_function},
    {"nodes20000", "20,000 nodes, some foldable, some dead", make_nodes20000, NULL},
    {"big500", "500 MB of weights in the model file", make_big500, NULL},
    {"big2500", "2.5 GB of external weights, in a sparse file", make_big2500, NULL},
};

int main(int argc, char **argv)
{
    return maker_main(rows, PG_COUNT(rows), argc, argv);
}
